"""Prints what clip/bpe's tests compare: SHA-256 over the ids of all COCO 2014 captions, a line a caption, ids joined by blanks, in the order of
the files, by openai/CLIP's tokenizer and by Hugging Face's GPT-2 tokenizer (tokenizers library) with GPT-2's own vocabulary; and over the ids of
the strings of clip/bpe/testdata by the latter.

Run: python bench/golden/make_token_hashes.py CAPTIONS_DIR SIMPLE_TOKENIZER_PY BPE_GZ ENCODER_JSON_GZ VOCAB_BPE_GZ STRINGS.jsonl.gz
CAPTIONS_DIR holds captions_train2014.json.gz and captions_val2014.json.gz; the others are openai/CLIP's tokenizer and vocabulary, GPT-2's, and
clip/bpe/testdata/strings.jsonl.gz. (ftfy, regex, tokenizers)
"""
import gzip
import hashlib
import importlib.util
import json
import sys

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

captions, simple, bpe, encoder, merges, strings = sys.argv[1:]
spec = importlib.util.spec_from_file_location("simple_tokenizer", simple)
st = importlib.util.module_from_spec(spec)
spec.loader.exec_module(st)
clip = st.SimpleTokenizer(bpe)
vocab = json.load(gzip.open(encoder))
pairs = [tuple(l.split(" ")) for l in gzip.open(merges, "rt", encoding="utf-8").read().split("\n")[1:] if l]
gpt2 = Tokenizer(models.BPE(vocab=vocab, merges=pairs))
gpt2.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
gpt2.add_special_tokens([AddedToken("<|endoftext|>", normalized=False, special=True)])


def line(h, ids):
    h.update((" ".join(map(str, ids)) + "\n").encode())


h = hashlib.sha256()
for piece, i in sorted(vocab.items(), key=lambda x: x[1]):
    h.update(f"{i} {piece}\n".encode())
print("gpt2 vocabulary", len(vocab), h.hexdigest())
texts = [json.loads(l)["text"] for l in gzip.open(strings, "rt", encoding="utf-8")]
h, n = hashlib.sha256(), 0
for t in texts:
    ids = gpt2.encode(t).ids
    n += len(ids)
    line(h, ids)
print("gpt2 strings", len(texts), n, h.hexdigest())
a, b, count, na, nb = hashlib.sha256(), hashlib.sha256(), 0, 0, 0
for part in ("train", "val"):
    for x in json.load(gzip.open(f"{captions}/captions_{part}2014.json.gz"))["annotations"]:
        i, j = clip.encode(x["caption"]), gpt2.encode(x["caption"]).ids
        line(a, i), line(b, j)
        count, na, nb = count + 1, na + len(i), nb + len(j)
print("coco", count, "clip", na, a.hexdigest(), "gpt2", nb, b.hexdigest())
