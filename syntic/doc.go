// Package syntic is the method of the paper (Liu et al. 2024, arXiv 2312.08865) on features that other packages make: synthetic image
// features are refined towards their texts, projected into text space by a memory of text features, joined by features of detected
// objects, and a text decoder learns to write the caption from them. A real image takes the same way without the refinement.
//
//	remap.go       Remap: captions paired anew with synthetic images (SynC); Weights of captions by CLIP (PCM-Net)
//	gap.go         Gap: features of one modality carried to where the other's lie (TOMCap)
//	refine.go      Refine: moves image features by a contrastive loss (METHOD: "optimisation")
//	memory.go      Memory: the bank of text features; Project, Neighbours, At
//	bank.go        MemoryOf, Pack: drawn subsets; features in 16 or 8 bits
//	objects.go     Detection, SelectTags, TagTable: detections become tags, tags become features
//	entities.go    Entities, Classify, WordsPrompt: names in texts and images, as words before the caption (ViECap, IFCap)
//	decoder.go     Decoder: GPT-2 with a tied head; hidden states, loss
//	gpt2.go        LoadGPT2, StartFromGPT2: folders of Hugging Face's GPT-2
//	context.go     Context: what the decoder is given of an image besides its feature
//	prefix.go      the prefix tokens made of feature and context
//	patches.go     Patches: an image's parts as tokens, mixed with tags (PCM-Net)
//	vocabulary.go  Vocabulary: the tokenizer's ids that the decoder knows
//	beam.go        Generate: greedy and beam search over cached keys and values
//	rerank.go      beams ordered by CLIP's cosine with the image, or by both ranks
//	train.go       Train: AdamW, warm-up, noise, weights, draws and shuffling by seed
//	features.go    Features: rows with names, on disk
//	store.go       Save and Load: GPT-2's names and layout, and a small JSON
//	captioner.go   Captioner: feature in, sentence out
//
// Features come and go as plain []float32, rows of one size, so that whoever stores them needs to know nothing of tensors.
//
// # Other methods
//
// What other papers do is a choice of keys on the same engine, and a row of the table (package config, `syntic recipe --rows`, which also says of each
// what is exactly as in its paper and what differs):
//
//	row            paper                     what it changes
//	decap          DeCap (2023)              train.features text, project at test alone, no objects
//	capdec, close  CapDec (2022), CLOSE '23  texts with noise, no projection
//	viecap         ViECap (2023)             noise; objects.source classifier, objects.as words, objects.drop
//	ifcap          IFCap (2024)              noise; retrieve.tokens, objects.source retrieval, objects.as words, objects.drop
//	tomcap         TOMCap (2025)             gap.correct texts, noise, retrieve.tokens
//	sync           SynC (2025)               remap
//	clip_weight    PCM-Net (2024)            train.weight
//	pcm            PCM-Net                   patches, train.weight, noise, neither refined nor projected
//	syntic_tt      SynTIC-TT, DeCap          memory.source target
//	gap            after TOMCap              gap.correct images
//	names          ViECap's prompt           objects.as words
//	names_clip     ViECap on SynTIC          objects.source classifier, objects.as words, objects.drop
//	viecap_rerank  ViECap, Adjudicated       as viecap, decode.rerank
//	frequent       IFCap's filtering         objects.source retrieval
//	retrieved      IFCap's retrieval         retrieve.tokens
//	rerank         Adjudicated (2026)        decode.rerank
//	images_mean    ours                      synth.images_per_caption, synth.combine
//	images_sample  ours                      the same
//
// Not here: Diffusion Bridge; language models that write the texts.
package syntic
