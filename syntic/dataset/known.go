package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// Known is a split that the field uses.
type Known struct {
	Corpus   string // COCO, Flickr30k, …
	Split    string // as Karpathy or nocaps name it
	What     string // for people
	Images   int
	Captions int
	SHA256   string // of Count; empty where the captions were never at hand
}

// knownSplits: numbers and hashes are those of the files as their makers distribute them, counted by this package. The same captions came
// out of several forms: COCO's val and test of the annotations with Karpathy's lists and of ViECap's JSON, Flickr8k's of the token file with its lists and of
// Karpathy's JSON, Flickr30k's of multi30k, ViECap's JSON and MAGIC's results. The original Flickr30k token file parts words from signs, and
// so has other hashes.
var knownSplits = []Known{
	{"COCO", "train", "COCO 2014 training captions (Karpathy train without restval)", 82783, 414113, "7cb771b56ab3c921d14cad187b5621eaf13e018b7fc490c99326640a6fe53236"},
	{"COCO", "restval", "COCO, Karpathy restval", 30504, 152634, "a2b8838a26d3fc890a42eda95fbee976f351a9b84b6adfa6554630a2319e122b"},
	{"COCO", "val", "COCO, Karpathy val", 5000, 25010, "24de776a15307711223537c9fee9ec90908758fddbe21c6b75cead0cc424c00f"},
	{"COCO", "test", "COCO, Karpathy test", 5000, 25010, "8df21c3315bb6fe3ed0630e9a64611af068598cad1821f6d3355f97b1a51f894"},
	{"COCO", "", "COCO 2014 validation captions", 40504, 202654, "e71afb8533b02e8254854c5512e1590a40809f2e1fcc9828903fe5f95f284312"},
	{"COCO", "", "COCO 2017 validation captions", 5000, 25014, "c907b49cb169d20edd0c5ef5c24d23a81da03b2c7d54b2f10a9114b00f83cc4b"},
	{"Flickr30k", "train", "Flickr30k, Karpathy train", 29000, 145000, "ebf86ca8ea2c5ee1d9dfd1fa305ae946c35b58951770a94720dbba2630f0fac4"},
	{"Flickr30k", "val", "Flickr30k, Karpathy val", 1014, 5070, "6b546ac4042eb869b56018c28625feaa410b86f5691aae408fc40002885f8401"},
	{"Flickr30k", "test", "Flickr30k, Karpathy test", 1000, 5000, "de64ca7e3f2f08b435ba5a82a5387d9a9336634cd78b2ae8d6cbd99ce51d666d"},
	{"Flickr8k", "train", "Flickr8k train", 6000, 30000, "f3917ca61bb66541482b0026d54791c0a0882d7c820126ab214cfbb9be822110"},
	{"Flickr8k", "val", "Flickr8k val", 1000, 5000, "1edea5e19384659f11bf789b1d179acc55f2799e2300599ebc36f3bca6141742"},
	{"Flickr8k", "test", "Flickr8k test", 1000, 5000, "743da046e32bd06748b93e1dc69de1824cd1dea424df0d696790d2139477b39f"},
	{"nocaps", "in_domain", "nocaps validation, in-domain", 417, 4170, "1d1fc1eaf18be80527d00630f7bdf155349834c2c1fd86c7a1abca2275082a33"},
	{"nocaps", "near_domain", "nocaps validation, near-domain", 2670, 26700, "19b976a1abacf6ba40ae3769dbb359cea3782c1136b36026e0c67982da8dd3d7"},
	{"nocaps", "out_domain", "nocaps validation, out-of-domain", 1413, 14130, "3e5c9d3225bc756706fa7d35db7335b54308708bb8d136f96eda903280e992a5"},
	{"nocaps", "all", "nocaps validation, entire", 4500, 45000, "347cf72a153d5f77296ab8ee40420f2bdf86a2fc0c64b9940f8b7d98fab9981a"},
	{"SS1M", "", "SS1M as DeCap uses it", 0, 978662, ""},
}

// Identify says of a split's count which known one it is, or how it differs from the one that it should be; empty if it is like none.
func (s *Set) Identify(c Count) string {
	for _, k := range knownSplits {
		if k.SHA256 != "" && k.SHA256 == c.SHA256 {
			return k.What
		}
	}
	corpus := s.corpus()
	for _, k := range knownSplits {
		same := k.Images == c.Images && k.Captions == c.Captions
		switch {
		case k.SHA256 == "" && same:
			return "as many as " + k.What
		case k.Corpus != corpus || c.Split == "" && !same || k.Split != c.Split && c.Split != "":
		case same:
			return "as many as " + k.What + ", but other captions or ids"
		case k.Images > 0:
			return fmt.Sprintf("not %s, which has %d images and %d captions", k.What, k.Images, k.Captions)
		}
	}
	return ""
}

// corpus guesses by the names of pictures which data set this is.
func (s *Set) corpus() string {
	name := strings.ToLower(s.Name)
	for _, known := range []string{"COCO", "Flickr30k", "Flickr8k", "nocaps"} {
		if name == strings.ToLower(known) {
			return known
		}
	}
	for i := range s.Images {
		switch n := base(s.Images[i].Name); {
		case strings.HasPrefix(n, "COCO_"):
			return "COCO"
		case slices.Contains([]string{"in_domain", "near_domain", "out_domain"}, s.Images[i].Split):
			return "nocaps"
		case strings.Contains(n, "_") && strings.IndexByte(n, '_') > 6 && strings.Trim(n[:strings.IndexByte(n, '_')], "0123456789") == "":
			return "Flickr8k" // 1000268201_693b08cb0e.jpg
		case len(n) > 8 && strings.Trim(strings.TrimSuffix(n, ".jpg"), "0123456789") == "" && n[0] != '0':
			return "Flickr30k" // 1000092795.jpg
		case n != "" && n != ".":
			return ""
		}
	}
	return ""
}
