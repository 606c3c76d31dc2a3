"""pycocoevalcap's CIDEr-D, BLEU and ROUGE-L on 5,000 captions with 5 references, the same ones as captions in bench/model_other.go makes."""
import math

from peer import Unknown

MASK = (1 << 64) - 1


def mixed(i, stream):
    """A number from -1 to 1: mixed in bench/weights.go."""
    x = (i + (stream << 40) + 1) * 0x9E3779B97F4A7C15 & MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    x ^= x >> 31
    return (x - (1 << 64) if x >> 63 else x) / (1 << 63)


def captions(images, references):
    word = lambda i, stream: f"w{int(math.pow(8000, (mixed(i, stream) + 1) / 2))}"
    refs, cands = {}, {}
    for i in range(images):
        refs[i] = []
        for at in range(i * references, (i + 1) * references):
            refs[i].append(" ".join(word(at * 16 + j, 1) for j in range(8 + at % 7)))
        words = refs[i][0].split()
        for j in range(0, len(words), 3):
            words[j] = word(i * 16 + j, 2)
        cands[i] = [" ".join(words)]
    return refs, cands


def load(case, setting):
    import importlib.metadata

    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    scorers = {"cider": Cider, "bleu": lambda: Bleu(4), "rouge": Rouge}
    if case.name not in scorers:
        raise Unknown("pycocoevalcap is measured on its scores")
    first = captions(1, 2)[1][0][0]
    assert first == "w104 w134 w833 w599 w957 w27 w11 w934", "not the captions of bench/model_other.go"
    refs, cands = captions(*map(int, case.shape.split("x")))
    score = scorers[case.name]()
    more = {"verbose": 0} if case.name == "bleu" else {}
    return lambda: score.compute_score(refs, cands, **more), importlib.metadata.version("pycocoevalcap"), "one thread"
