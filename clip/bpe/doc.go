// Package bpe is CLIP's byte-pair tokenizer (Radford et al. 2021; Sennrich et al. 2016): text becomes lower-case words, words become
// UTF-8 bytes, and the 48,894 learnt merges join bytes to pieces. The ids are those of openai/CLIP and of Hugging Face's CLIPTokenizer;
// those of GPT2 are of Hugging Face's GPT2Tokenizer.
//
//	tokenizer.go   Tokenizer: Encode, EncodePadded, Decode
//	load.go        the embedded vocabulary, a tokenizer folder (vocab.json, merges.txt), bpe_simple_vocab_16e6.txt.gz
//	gpt2.go        GPT2: the byte-level tokenizer of GPT-2, on the same tables; vocabulary.go reads the folders of both
//	split.go       text into words and marks, by Unicode class, without regular expressions
//	merge.go       one word's bytes into pieces
//	clean.go       the two ways of cleaning text; unescape.go HTML entities; ftfy.go, mojibake.go broken encodings
//	train.go       Train: a new vocabulary from a corpus, in the same layout; write.go stores it
package bpe
