"""Goldens of METEOR: what meteor-1.5.jar counts for captions of COCO, without paraphrases and with a made-up paraphrase table, and
what its tokenizer and stemmer make of words.

    python3 make.py METEOR_1.5_JAR

The captions are the tokenised ones in ../../testdata. The table is made of word runs of these captions, for METEOR's own is not
ours to carry.
"""
import gzip, json, random, subprocess, sys, tempfile
from pathlib import Path

OUT = Path(__file__).resolve().parent
CASES = OUT.parent.parent / "testdata"


def captions(case, n):
    t = json.load(gzip.open(CASES / case / "tokenized.json.gz"))
    ids = sorted(t["candidates"])
    random.Random(1).shuffle(ids)
    return [(t["candidates"][i][0].replace("|||", "").replace("  ", " "), t["references"][i]) for i in ids[:n]]


def table(sets, n):
    """n pairs of runs of 1 to 4 words, one from a candidate and one from a reference of the same image."""
    r, pairs = random.Random(2), []
    while len(pairs) < n:
        cand, refs = r.choice(sets)
        run = []
        for words in (cand.split(), r.choice(refs).split()):
            k = r.randint(1, 4)
            if len(words) > k and all(w.isascii() and w.isalpha() for w in words):
                at = r.randrange(len(words) - k)
                run.append(" ".join(words[at : at + k]))
        if len(run) == 2 and run[0] != run[1]:
            pairs.append(run)
            if r.random() < 0.3:
                pairs.append(run[::-1])
    return "".join(f"0.{r.randint(1, 99):02d}\n{a}\n{b}\n" for a, b in pairs)


def score(jar, sets, *options):
    """The 23 numbers of each set, and the scores: of each, then of all."""
    p = subprocess.Popen(["java", "-Xmx2G", "-jar", jar, "-", "-", "-stdio", "-l", "en", "-norm", *options],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def ask(line):
        p.stdin.write((line + "\n").encode())
        p.stdin.flush()

    stats = []
    for cand, refs in sets:
        ask(" ||| ".join(["SCORE", *refs, cand]))
        stats.append(p.stdout.readline().decode().strip())
    ask(" ||| ".join(["EVAL", *stats]))
    scores = [float(p.stdout.readline()) for _ in range(len(sets) + 1)]
    p.stdin.close()
    p.wait()
    return [[int(float(x)) for x in s.split()] for s in stats], scores


def normalized(jar, lines):
    """The words of each line, as METEOR's alignments show them."""
    with tempfile.TemporaryDirectory() as d:
        Path(d, "t").write_text("".join(x + "\n" for x in lines))
        Path(d, "r").write_text("zz\n" * len(lines))
        subprocess.run(["java", "-jar", jar, d + "/t", d + "/r", "-l", "en", "-norm", "-m", "exact", "-writeAlignments", "-f", d + "/o"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        out = Path(d, "o-align.out").read_text().split("\n")
        return [out[i + 1] for i, x in enumerate(out) if x.startswith("Alignment\t")]


def odd_lines():
    r = random.Random(3)
    lines = """x u.s. y|it 's|e.g. this|vs. him|no. 5|pp. 5|pp. x|rev. x|mr. x|mr. A|st.|etc.|1,000,000|1,,2|a,b|5,|5.|a...b|..|a-b-c|a--b|--
--- 1b.|a_b|1/2|10:30 p.m.|a.k.a|a.k.a.|.a.b.|1.a.|1.1.|o'clock|l'eau|n't|'70s|y'|1's|'n'|rock 'n' roll|`` a ''|a`b|“a”|‘a’|a’s|a—b|a–b|1–1
c++|us$|^_^|:-rrb-|-lrb-555-rrb-|123-4567|<unk>|http://example.com/a?b=c|日本 語|a，b|é à|мама|папа.|½|90°|a♥b|😀|aªb|ßſ""".replace("\n", "|").split("|")
    for alphabet in ("ab1.", "ab1'", "ab1-", "ab1,", "a1.,'-` b", "a.b c1"):
        lines += ["".join(r.choice(alphabet) for _ in range(r.randint(2, 9))) for _ in range(60)]
    return sorted({x for x in lines if x.strip()})


def stems(jar, words):
    text = subprocess.run(["java", "-Dfile.encoding=UTF-8", "-cp", jar, "Stemmer", "en"], input="\n".join(words).encode(), stdout=subprocess.PIPE, check=True).stdout
    return text.decode().split("\n")[: len(words)]


def write(name, text):
    with open(OUT / name, "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
        z.write(text.encode())


def main():
    jar = sys.argv[1]
    sets = captions("coco_val2017_odd", 90) + captions("coco_karpathy_test_magic", 160) + captions("coco_val2017_shuffled", 60)
    write("paraphrase-en.gz", table(sets, 2500))
    rows = [{"candidate": c, "references": r} for c, r in sets]
    total = {}
    for key, options in ("three", ["-m", "exact stem synonym"]), ("four", ["-a", str(OUT / "paraphrase-en.gz")]):
        stats, scores = score(jar, sets, *options)
        for row, s, x in zip(rows, stats, scores):
            row[key], row[key + "_score"] = s, x
        total[key] = scores[-1]
    lines = odd_lines()
    words = sorted({w for c, refs in sets for x in [c, *refs] for w in x.split()})
    r = random.Random(4)
    words += [r.choice(words) + s for s in "ing ed edly eed ies ied es 's y ly ational ization fulness ousli ative ement ion ll e".split() for _ in range(40)]
    words += "skis dying inning generous communism arsenal proceed succeeded youth boy say enjoyed yyy bee agreed hopping falling cries tie by".split()
    write("cases.json.gz", json.dumps({"images": rows, "total": total, "lines": list(zip(lines, normalized(jar, lines))),
                                       "stems": list(zip(words, stems(jar, words)))}, ensure_ascii=False, separators=(",", ":")))


main()
