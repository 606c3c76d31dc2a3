"""Writes clip/bpe/testdata/gpt2: a small byte-level BPE trained by the tokenizers library, and the ids that it gives 3,500 strings (those of
STRINGS by their place, without the text).

Run: python bench/golden/make_gpt2_tokens.py STRINGS.jsonl.gz OUT_DIR   (tokenizers, transformers)
STRINGS has a JSON object with "text" a line (clip/bpe/testdata/strings.jsonl.gz); 500 strings of white space, digits, contractions and other
scripts are made here. Their ids are packed as gzipped JSON lines; "cut" has those of transformers' truncation to 8 ids, on every tenth line.
"""
import gzip
import json
import random
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2TokenizerFast

src, out = sys.argv[1:]
texts = [json.loads(l)["text"] for l in gzip.open(src, "rt", encoding="utf-8")]
rng = random.Random(5)
parts = [" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u0085", "\x1c", "\x1f", "\u200b", "\u2028", "a", "the", "Dog", "don't", "I'LL", "we've", "'s", "'S", "'", "''", "'re", "it's",
         "1", "23", "4.5", "½", "²", "Ⅷ", "١٢", "é", "e\u0301", "ß", "ж", "Привет", "日本語", "한국", "नमस्ते", "ไทย", "😀", "👩‍👩‍👧", "!", "...", "?!", "--", "_", "$5", "<|endoftext|>", "<|endoftext", "\u0000", "\ufffd", "ǅ", "ª", "ʰ", "_a", "a_b", "\ufeff"]
stored = len(texts)
texts += ["".join(rng.choice(parts) for _ in range(rng.randint(1, 12))) for _ in range(500)]

tok = Tokenizer(models.BPE())
tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tok.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(vocab_size=1500, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
tok.train_from_iterator(texts[:2500], trainer)
tok.model.save(out)
hf = GPT2TokenizerFast(vocab=json.load(open(out + "/vocab.json")), merges=[tuple(l.split(" ")) for l in open(out + "/merges.txt", encoding="utf-8").read().split("\n")[1:] if l])
rows, differ = [], 0
for i, t in enumerate(texts):
    ids = tok.encode(t).ids
    differ += hf(t)["input_ids"] != ids
    row = {"ids": ids} if i < stored else {"text": t, "ids": ids}
    if i % 10 == 0:
        row["decode"] = tok.decode(ids, skip_special_tokens=False)
        row["cut"] = hf(t, truncation=True, max_length=8)["input_ids"]
    rows.append(row)
with gzip.GzipFile(out + "/strings.jsonl.gz", "wb", 9, mtime=0) as z:
    for r in rows:
        z.write((json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n").encode())
print(len(rows), "strings,", differ, "of them differ between tokenizers and transformers")
