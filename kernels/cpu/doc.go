// Package cpu holds the Go and SIMD variants of the ops and the CPU backend. Importing it registers them.
//
// The map: backend.go memory and streams, memory_*.go memory of the system · pool.go fixed-grain parallel loops on workers that stay awake for a moment · isa.go what this CPU has · gen/ the avo programs that
// write <routine>_amd64.s · vector.go loops over contiguous numbers that most ops are made of, vector_math.go their functions · <op>.go the variants of one op · gonum.go the variants that call gonum.
//
// Matrix products: gemm.go the op · gemm_product.go blocks, tasks, epilogue; gemm_kept.go weights whose panels stay, A rounded or copied once; gemm_split.go few tiles and much depth; gemm_narrow.go few columns; gemm_dots.go few rows, only by name ·
// bf16.go operands rounded to bfloat16, only by name, attention_bf16.go, infonce_bf16.go and linearcrossentropy_bf16.go the same for attention, InfoNCE and the vocabulary head; widen.go weights of 16 bits ·
// gemm_pack.go panels, and the windows of convolutions · gemm_tile.go what a micro-kernel is, and the one in Go; gemm_amd64.go those in assembly ·
// conv2d.go convolutions as products over windows; winograd.go those of 3×3 taps as fewer products of transformed tiles, winograd_fixed.go the same where operands may be rounded.
//
// Tiles in scratch: panel.go the routines that attention.go (attention_few.go, attention_ahead.go, attention_grad.go), infonce.go (infonce_passes.go, infonce_grad.go), crossentropy.go, linearcrossentropy.go (its gradients in linearcrossentropy_grad.go), projecttopk.go and topk.go are made of, so that none stores its
// N×M scores; panel_generic.go those in Go, panel_amd64.go those in assembly (gen/panel).
//
// Memory bank: bank.go the rows and the queries on them · blend.go softmax over all rows, project_bf16.go on a bank in bfloat16 · projecttopk.go what is made
// of them · topk.go search · scan.go search in fewer bits, the proof of its bound; scan_run.go how it goes.
//
// peak.go measures the multiply-adds that no kernel can exceed, on registers alone, for benchmarks.
//
// Work is cut into pieces whose sizes depend on the operands alone, never on the number of workers, and every sum has one order:
// results are the same bits for any GOMAXPROCS.
//
// # How near the limits, and what was tried in vain
//
// Figures are of one core of an AMD EPYC of family 26 (two 512-bit multiply-adds a cycle at about 4 GHz: 256 GFLOP/s in float32, 512 in bfloat16), by the
// thread's own processor time, the least of many calls, beside other work that slowed everything by a tenth or so. "Before" is the version that each
// replaced, measured in the same minutes. Sizes are batch × heads × queries × keys × width.
//
//	                                          before   now    of the limit
//	attention float32   1×2×4096×4096×40         126    179   0.70
//	attention float32   2×2×1024×1024×80         155    219   0.86
//	attention float32   2×8×4096×77×40           142    200   0.78   (205 of one head, which stays in the cache; before 170)
//	attention float32   32×12×50×50×64           102    169   0.66   (183 of one head; before 142)
//	attention float32   80×4×40×40×128 causal     50     74   0.29   (middle of many calls, the least 97; 131 of one head; before 94)
//	attention float32   64×8×77×77×64 causal      82    131   0.51
//	attention float32   1×1×4096×4096×512        156    188   0.73
//	attention bfloat16  1×2×4096×4096×40         197    247   0.48
//	attention bfloat16  2×2×1024×1024×80         266    315   0.62
//	attention backward  1×2×4096×4096×40         156    182   0.71
//	InfoNCE with gradients, N 8192, D 512        107    201   0.79   (8·N²·D operations; 1.37 s for 2.57 s)
//	the same, bfloat16                             -    352   0.69
//	the same in float32, N 1024                  192    256   1.00   (three products, counted as four)
//	the same in float32, N 2048                  194    245   0.96
//	vocabulary head with gradients, float32      201    229   0.89   (3200×512×49408; before: GEMM, loss, GEMM, GEMM of the same rows, 227 in a better minute)
//	the same, bfloat16                           363    404   0.79
//	projection, 256 queries, 100,000 × 512       186    211   0.82
//	top 64, 256 queries, 100,000 × 512            90    177   0.69
//	Conv2D 64×64 pixels, 320 → 320, 3×3          219    636   2.5    (operations of the direct product; 689 in a better minute)
//	Conv2D 32×32 pixels, 640 → 640, 3×3          211    664   2.6
//	Conv2D 16×16 pixels, 1280 → 1280, 3×3        183    479   1.9    (539)
//	Conv2D 8×8 pixels, 1280 → 1280, 3×3          162    213   0.8    (236)
//	Conv2D 64×64 pixels, 512 → 512, 3×3          215    687   2.7
//	Conv2D 128×128 pixels, 256 → 256, 3×3        219    584   2.3
//	Conv2D 256×256 pixels, 128 → 128, 3×3        207    485   1.9
//	Conv2D 200×267 pixels, 64 → 64, 3×3          183    345   1.3
//	Conv2D 50×67 pixels, 256 → 256, 3×3          220    578   2.3
//	Conv2D 25×34 pixels, 512 → 512, 3×3          209    556   2.2
//
// Matrix products of weights, CLIP's and the shapes of convolutions, rows × columns × depth, and CLIP ViT-B/32 whole; measured beside work that took most of the memory's
// bandwidth (5 to 11 GB/s were left), before and after by turns:
//
//	                                 float32: before   now   of the limit   bfloat16: before   now   of the limit
//	1024 × 1024 × 1024                           191    243   0.92                       383    470   0.89
//	4096 × 4096 × 4096                           169    227   0.89                       341    433   0.85
//	1600 × 3072 × 768                            179    240   0.91                       385    463   0.89
//	1600 × 768 × 3072                            189    238   0.90                       386    463   0.88
//	1600 × 768 × 768                             212    246   0.93                       449    472   0.89
//	50 × 3072 × 768                              180    261   0.98                       408    497   0.94
//	50 × 768 × 768                               220    257   1.00                       429    493   0.96
//	77 × 3072 × 768                              180    243   0.95                       418    496   0.97
//	77 × 2048 × 512                              213    260   0.98                       461    492   0.93
//	77 × 512 × 512                               237    251   0.98                       473    489   0.96
//	4096 × 320 × 2880                            199    236   0.92                       384    412   0.80
//	1024 × 640 × 5760                            189    239   0.93                       376    411   0.80
//	256 × 1280 × 11520                           200    224   0.87                       400    423   0.83
//	CLIP, one image                              133    220   0.86                       237    397   0.78
//	CLIP, 32 images                              187    218   0.85                       335    418   0.82
//
// Within CLIP of 32 images its products run at 233 to 248 (457 to 486), which are 0.95 of its time; patches, whose windows lie side by side, at 220.
// What helped, in this order: panels of a weight packed once and read in one stream, the slice that comes next asked for line by line while a tile is computed
// (few rows: +40 %), and behind a task the first slice of the one that its worker takes next (one image: +11 %); rows of Out and of the residual asked for before a tile begins, because they lie a row of the matrix apart and every block of the depth
// comes back to them; all columns to one task, so that its rows of A are rounded once and its rows of Out are written whole (+4 to 9 % at 3,072 columns,
// against groups of 32 panels). A rounded by the task that reads it instead of by a pass before.
// Then, of one thread's time: blocks of 1,024 in depth instead of 384, so that most sums are made in one pass and Out is written once, although B then comes from the second-level
// cache for every tile (float32 +1 to 4 %, bfloat16 +1 to 2.5 %); Out asked for when 64 steps of the depth are left instead of before the tile (+2 to 3 %; 32 and 192 steps 1 to 2 %
// less); rows of A that lie a multiple of 4 KiB apart read where they lie instead of copied (+2 % at 1024³).
// Of two threads, µs on a machine where all else stood still, before and after by turns, beside oneDNN with prepacked weights (bfloat16 throughout) in the same minute:
//
//	                          float32: before     now   oneDNN    bfloat16: before    now   oneDNN
//	1024 × 1024 × 1024                  4,539   4,290    4,338               2,346   2,218    2,176
//	256 × 1280 × 11520                 16,953  15,296   15,806               8,685   7,892    7,868
//	50 × 3072 × 768                       481     467      499                 242     239      260
//	77 × 2048 × 512                       336     319      332                 170     166      176
//	1600 × 3072 × 768                  16,495  15,323   15,724               8,370   7,827    7,759
//	1600 × 768 × 768                    4,000   3,799    3,874               2,008   1,953    1,926
//
// What the second thread had lost: a worker without work for 40 µs slept, and a virtual processor takes 100 to 170 µs to wake, in calls of which the last task alone took
// longer (now it looks for work for 250 µs); tasks of 1 ms at the end of a product (the last eighth is cut four times finer); weights larger than the last-level cache
// read once for every 36 rows of 256. Where both go, the multiply-adds themselves go at 0.97 of twice one thread's rate.
// In vain: asking for the next rows of A while a tile is computed, in bfloat16 (1024³ +1 %, 1600 × 3072 × 768 −3 %, 4096 × 320 × 2880 −4 %); writing Out past the caches (bfloat16
// 1600 × 3072 × 768 +2 %, 1024³ −1 to −2 %, and the next layer would read it from memory); asking for Out by PREFETCHW (as by PREFETCHT0); asking for B 1 KiB ahead into the first-level cache (nothing);
// blocks of 256 in depth (the same in bfloat16, 3 to 7 % slower in float32 at 1024 × 640 × 5760: Out is read and written more often); groups of 12 panels (bfloat16 0 to
// 5 % slower). What bfloat16 still lacks at many rows is memory: Out is float32, twice the bytes that a peer writes, and A is read as float32: of 1024³ the two take 6 and 5 %.
//
// Products of panels (panel.go): tiles of 12×32 whose numbers of A are broadcast once into a register, instead of 8×32 with the broadcast inside each
// multiply-add, whose 18 loads for 16 multiply-adds are more than two a cycle; rows are cut evenly, so that no remainder runs at the latency of one or two
// rows. Few rows by 128 columns have a tile of their own.
//
// Attention: a row of scores for every key. Keys and values are read where they lie, nothing but the number of queries is filled up to whole vectors, and
// softmax runs down columns without a sum across lanes. 2^x takes a subtraction of its whole part (VREDUCEPS), five multiply-adds and VSCALEFPS.
// In vain for long sequences: asking for rows ahead (nothing at 4096×40 and 1024×80).
//
// Attention over few keys (attention_few.go), two workers, GFLOP/s to text, of CLIP and of the decoder, middles of many calls on a quiet machine, operands on
// pages of 2 MiB as large tensors have them: 280, 221 and 116 before. All scores of 32 queries at once, softmax in one pass with the largest in four chains,
// and sums of values a row for every query instead of a column, so that Out is written where it lies without being turned, 50 queries are 50 rows
// instead of 64 columns, and causal queries stop at their last key by eights (of 40 numbers, the last eight of two rows share a register): 366, 282, 170. Heads
// lie H·D numbers apart, so the lines of the next are asked for ahead: one by one within the products, not some dozens between routines, where they wait for
// each other and hold up what is read next: 379, 320, 192. A worker who takes a piece before it computes another, so that none begins cold, in runs that get
// shorter, so that both end together: 387, 320, 190 (385, 325, 184 by bench model). With bfloat16 by name these are float32 too: rounded operands
// reached 396, 307 and 138 by the old way. In vain: not asking ahead (353, 246, 145 where dozens at a time made 366, 282, 170); asking for the first-level cache
// instead of the second (382, 322, 195); to text, 1, 2 and 4 heads at a time of 64 to 256 queries (within 3 % of all 8 of 64); pieces taken singly (decoder
// 173: heads side by side then go to different workers) and two heads at a time (decoder 145); sums of causal queries in two parts (a token's bits then
// depend on what follows it). What remains is memory at the decoder, 26 MB in 0.7 ms, and at CLIP the 14 columns by which 50 queries fall short of 64 in
// the products with keys. Not tried: pairs of bfloat16 with sums a row for every query, which should gain where a head is in the cache (the old way, of one
// head by one worker: 218 to text, 199 of CLIP, where float32 has 205 and 183).
//
// InfoNCE: four products instead of six, three up to 20 MiB of similarities, which are kept; of more, those of the first band are kept in the place that
// the band needs anyway. Similarities lie with the rows of Y one below the other, so that Y is read where it lies and only a piece or a band of X is copied
// to panels: memory grows by 57 MiB at 8192 pairs for 70 (bfloat16 70 for 102). Rows of Y, panels of the band and of Y are asked for ahead, DX is summed over 512
// rows at a time, DY reads its rows of X as panels. Two threads, by turns on a quiet machine: 623 to 634 ms for 688 to 690 in float32, in
// bfloat16 343 to 358 for 342 to 348, no gain but memory; 0.92 of the limit in products, which are 94 % of the time. In vain: pieces of 64 rows and 32 rows of DX at 8192 columns (164 GFLOP/s: all of Y comes
// from the last-level cache for every piece); pieces of 128 and bands of 512 give 199; now, in ms at 4096 pairs with one thread: pieces of 256 rows (303 to 319 for
// 300 to 307), tiles of 128 and 512 rows (299 to 316, 312 to 316), of 240, a whole number of blocks of twelve (297 to 304); statistics in tiles of 48, 60 and 120 rows,
// which stay in the first-level cache (301 to 316, 310 to 316, 316 to 317, for 310 to 315); asking ahead alone (326 for 324).
//
// Vocabulary head: three products, exponentials of 480 rows kept (101 MB, in bfloat16 47 MB and W twice; GEMM and loss keep 1.26 GB). Of the products alone, logits
// reach 250 to 265, DW 237, DX 224 to 237. What did it: fetching C ahead where it is added to (DW 209 before), DX by twelve rows, whose exponentials then stay in
// the first-level cache (207 before), 168 words a tile so that tile and words share the second-level cache with what is added to, large pages for scratch (2 %);
// in bfloat16 one copy of the exponentials, paired anew where DX needs it (369 ms for 390), W rounded in one pass into memory that is not drawn from the
// common scratch (roundings 0.56 s for 0.94 of 4 s), 336 words deep products for DX (3 %). In vain, in GFLOP/s: X by halves of the depth so that its panel fits the first-level cache (logits
// 230 for 249); W copied to panels for DX (228 for 224, 234 for 237); exponentials copied too (197 to 223); 120, 240 or 480 words a tile (226, 224, 197 for DX);
// bands of 324, 408, 540 and 648 rows for 480 (the whole head 212 to 219, 218 to 221, 222 to 224 and 219 to 227 for 221 to 224). Not taken: bands of 804 rows, 226 to 228, whose exponentials
// take 64 MB more.
// A step of the decoder's training (bench model decoder-train) takes 3.55 s of processor time for 4.27, in bfloat16 1.94 s for 2.31, of which
// the head 2.25 and 1.20 s, products of the layers 1.16 and 0.61, all else 0.12: attention's gradient 0.032, AdamW with the norm 0.023, copies of queries, keys and
// values 0.011, sums for biases 0.009, GELU and its gradient 0.017, layer norms 0.011; 630 to 690 allocations of 0.4 MB.
//
// Memory bank: figures of one thread's processor time beside heavy work of others, 600,000 × 512 for searches and 100,000 × 512 for projections; a plain
// maximum over the same bytes read 35 GB/s in the same minutes.
//
//	top 64, 256 queries, float32 throughout           203 GFLOP/s   (775 ms)
//	the same, scan in bfloat16, bank rounded as read  371           (424 ms)
//	the same, bank in bfloat16 beside it              391           (403 ms)
//	the same, bank in bytes beside it                 454           (347 ms)
//	top 64, one query, float32                        26.7 GB/s, 0.77 of a plain read
//	the same, bank in bfloat16 / in bytes beside it   24.9 / 23.4 GB/s (24.7 / 13.1 ms)
//	projection, one query, float32 / bfloat16         22.4 / 22.2 GB/s, 0.64 of a plain read; the micro-kernels alone go at 65 and 77 GB/s
//	projection, 256 queries, float32 / bfloat16       213 / 337 GFLOP/s, both products counted
//
// The order of one query's sums is that of many, so 16×16 numbers are transposed in registers on the way to the multiply-adds, 3 ms for what takes 6 ms to
// read. The two do not overlap as they could. 16 streams of 8 rows each, asked for 512 bytes ahead, take 7.0 to 7.5 ms; in vain: 16 rows that follow each other
// with the next 16 asked for in one line (8.8), into the first-level cache (9.1), 64 KiB further on (9.1), loads instead of prefetches (12.1), no
// prefetch (8.6), the 16 streams without prefetch (8.6) and 1024 bytes ahead (7.8). Before that: a copy of 16 rows with a gap between them (15.2 ms for 11.2),
// packing 16, 32 or 64 rows at a time instead of 128 (13.2, 12.3, 11.4 ms for 11.2). Sums along the lanes would read at full speed, but a query's bits
// would then depend on how many come with it.
//
// One tile of 128 rows serves 256 queries before it is left: in bfloat16 its rows are woven into pairs once for all of them, in panels, which
// the first-level cache holds where rows 2 KiB apart drive each other out, and the next tile is asked for meanwhile. Two threads by turns on a quiet machine,
// 250,000 × 512, 256 queries: 274 to 288 ms for 315 in float32, 153 for 201 in bfloat16; one query in bfloat16 7.8 to 8.3 for 8.0 to 9.6 (all pieces at once instead of
// 16 between two barriers). In ms of one thread at 100,000 rows, blocks of 64, 128 and 256 queries: float32 232 to 237, 229 to 236, 229 to 232; bfloat16 132 to 136, 128 to 131, 121 to 126.
// In vain: tiles of 256 rows, which add to the sums half as often but leave the second-level cache (bfloat16 126 to 131), and of 512 by 128 queries (126 to 132).
//
// The scan in bfloat16, 256 queries: of one thread's time 81 % are products, at 0.91 of their limit before the next tile was asked for ahead, 9 % rows that are scored
// again, each of which comes from memory (the next 16 are asked for too), 6 % rows that are met; 142 ms for 153 at 200,000 rows. All 567,000 rows have 149 GFLOP, 145 ms
// of two threads at their limit; 187 for 203 (250,000 rows: 89 for 98). In vain, in ms for 93 at 100,000 rows: scoring them as they are met, 16 at a time (143); not telling other chunks of the bank the lower bounds found (130: 321 rows a
// query for 109), with lists of 2048 rows for 1024 (142).
//
// Convolutions of 3×3 (winograd.go): a quarter of the multiplications. Errors against float64, of the largest result: 1.2e-6 to 1.6e-6, where the direct
// product has 4e-7 to 5e-7; at the real sizes the autoencoder's image is off by 1.9e-6 for 1.2e-6.
//
// With operands named bfloat16 the transformed tiles are whole numbers of 13 bits with a scale for each row of channels (winograd_fixed.go), because bfloat16 errs too
// much there: of results after SiLU its root mean square error is 1.1e-2, that of the direct product of bfloat16 2.3e-3 (1.7e-3 where weights have 16 bits), that of whole numbers 1.0e-3
// to 1.6e-3, and up to 2.3e-3 where a few numbers are far larger than the others (TestFixedPointErrors). Maps of up to 64 pixels are direct products of kept panels. In GFLOP/s, before (float32) and
// now, by turns:
//
//	64×64 pixels, 320 → 320      721   1021        32×32 pixels, 640 → 640       759   1084
//	64×64 pixels, 960 → 320      683   1031        16×16 pixels, 1280 → 1280     598    685
//	64×64 pixels, 512 → 512      735   1198        8×8 pixels, 1280 → 1280       307    467
//	128×128 pixels, 256 → 256    668    990        256×256 pixels, 128 → 128     559    724
//
// Groups of 128, 192 and 384 tiles take the same as of 256, within 5 %. Not taken: F(4×2, 3×3) in bfloat16, whose largest error is at the limit of what rounded operands may cost (7e-3 to
// 8.6e-3 of the largest result), F(2×2, 3×3), which errs 1.7 times as much as the direct product and saves nothing here. In float32, what remains is
// moving: 36 numbers are written and read for 16 pixels. Tiles and weights asked for ahead are worth 3 to 8 %. In vain, at 64×64×320 and 256×256×128:
// blocks of 64, 192 and 320 channels (14.3, 13.6, 13.6 ms for 13.5), groups of 128 tiles for 256 (13.5 for 11.6); stages of 4, 8
// and 16 MiB take the same (37.3, 38.2, 38.5 ms). Transformed weights kept from call to call would be read at 4 times the bytes of those they are made of: at 8×8 pixels that
// alone, 236 MB, takes as long as the whole call. F(2×2, 3×3) would round half as much, for 2.25 times fewer multiplications instead of 4: not needed.
//
// Whole nets, one thread, among others' work: UNet step 2.80 s in float32 and, with bfloat16, 1.78 s of processor time (2.04 before whole numbers and kept panels of small maps),
// autoencoder's decoder 4.6 and 3.3 s (4.7), DETR 0.71 and 0.49 s. Of the UNet's 1.78 s convolutions take 0.60 (0.83), products 0.55, attention 0.52, GEGLU 0.05, all norms 0.04.
// In DETR with bfloat16 the 1×1 convolutions are short of the goal: 64 → 256 channels of 53,400 pixels move 180 MB for 1.7 GFLOP, in float32.
//
// Transposes: whole cache lines of 16 rows and four stages of shuffles, 3.3 ns for 16×4 numbers in the first-level cache; four columns at a time with
// VINSERTF32X4 took 9.
package cpu
