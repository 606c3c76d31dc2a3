// Package dataset reads captions and images as people have them: the files that the field passes around, each recognised by what it holds.
//
//	set.go      Set, Image: images with captions and splits, in the file's order; Texts, Split
//	load.go     Load: opens (gzip, zip), recognises the format, checks
//	json.go     Karpathy's splits, COCO captions, ViECap's and DeCap's JSON, lists of objects (nocaps, result files)
//	text.go     plain lines, SS1M's lines, "name#k TAB caption", CC3M's TSV, Flickr30k's CSV
//	folder.go   multi30k: a folder of train.1.en … train.5.en with train_images.txt
//	pickle.go   pickled lists of texts, read without running anything
//	tar.go      tar shards: 0001.jpg beside 0001.txt or 0001.json
//	lists.go    Lists: files that name the images of a split, for formats that have none
//	images.go   Store: finds the pictures that a corpus names, in folders and tar shards
//	count.go    Count: images, captions, words and a hash of every split
//	known.go    Identify: is this COCO, Flickr30k, Flickr8k, nocaps, and all of it?
//	fault.go    Fault: file, place, what is wrong, what would be right
//
// A file that is wrong is refused whole: a caption that is empty or not UTF-8, an image listed twice, JSON that ends too early.
package dataset
