// Package syntic is the method of the paper (Liu et al. 2024, arXiv 2312.08865) on features that other packages make: synthetic image
// features are refined towards their texts, projected into text space by a memory of text features, joined by features of detected
// objects, and a text decoder learns to write the caption from them. A real image takes the same way without the refinement.
//
//	refine.go      Refine: moves image features by a contrastive loss (METHOD: "optimisation")
//	memory.go      Memory: the bank of text features; Project, Neighbours
//	objects.go     Detection, SelectTags, TagTable: detections become tags, tags become features
//	decoder.go     Decoder: GPT-2 with a tied head; hidden states, loss
//	gpt2.go        LoadGPT2, StartFromGPT2: folders of Hugging Face's GPT-2
//	prefix.go      the prefix tokens made of feature and objects
//	vocabulary.go  Vocabulary: the tokenizer's ids that the decoder knows
//	beam.go        Generate: greedy and beam search over cached keys and values
//	train.go       Train: AdamW, warm-up, noise, shuffling by seed
//	features.go    Features: rows with names, on disk
//	store.go       Save and Load: GPT-2's names and layout, and a small JSON
//	captioner.go   Captioner: feature in, sentence out
//
// Features come and go as plain []float32, rows of one size, so that whoever stores them needs to know nothing of tensors.
package syntic
