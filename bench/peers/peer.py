"""One peer engine as a process that answers requests to measure, the other side of `syntic bench peers`:

    python peer.py ENGINE

Reads a JSON object a line on stdin, writes one on stdout for each; README.md beside this file describes them.  What libraries
print goes to stderr.  A package that is not installed is named in the answer.
"""
import importlib
import json
import os
import sys
import time

# engine: module, setting
ENGINES = {
    "torch": ("torch_peer", "eager"),
    "torch-cl": ("torch_peer", "channels_last"),
    "torch-compile": ("torch_peer", "compile"),
    "torch-chunk": ("torch_peer", "chunk"),
    "torch-sdpa": ("torch_peer", "sdpa"),
    "onednn": ("torch_peer", "prepacked"),
    "onnxruntime": ("onnx_peer", ""),
    "numpy": ("blas_peer", "numpy"),
    "openblas-avx512": ("blas_peer", "openblas"),
    "faiss": ("faiss_peer", ""),
    "faiss-avx512": ("faiss_peer", ""),
    "pycocoevalcap": ("metrics_peer", ""),
    "python+torch": ("start_peer", ""),
}


class Unknown(Exception):
    """The engine does not do this case."""


class Case:
    """Case clip-image/b32/f32 in its parts; sizes are the numbers of a shape such as q256m100."""

    def __init__(self, name):
        self.name, self.shape, self.dtype = name.split("/")
        self.half = self.dtype == "bf16"

    def size(self, letter, default=None):
        """The number behind a letter of the shape."""
        digits, on = "", False
        for c in self.shape:
            if on and c.isdigit():
                digits += c
            else:
                on = c == letter
        if not digits and default is None:
            raise Unknown(f"shape {self.shape}: no size {letter}")
        return int(digits) if digits else default


def sample(call, calls, repeats):
    """Seconds of one call, for each of repeats samples of calls calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        seconds.append((time.perf_counter() - start) / calls)
    return seconds


def serve(engine, lines, out):
    """Answer requests until lines end."""
    call = None
    for line in lines:
        try:
            request = json.loads(line)
            do = request.get("do")
            if do == "load":
                call = None
                module, setting = ENGINES[engine]
                call, version, note = importlib.import_module(module).load(Case(request["case"]), setting)
                answer = {"version": version, "note": note}
            elif do == "run" and call:
                answer = {"seconds": sample(call, request["calls"], request["repeats"])}
            elif do == "free":
                call, answer = None, {}
            else:
                answer = {"error": f"do {do!r}: want load, run or free, load first"}
        except ModuleNotFoundError as e:
            answer = {"error": f"{e.name} is not installed", "missing": e.name}
        except Unknown as e:
            answer = {"error": f"{request.get('case')}: {e}", "unknown": True}
        except Exception as e:  # the parent reports it and goes on with the next engine
            answer = {"error": f"{type(e).__name__}: {e}".splitlines()[0][:300]}
        out.write(json.dumps(answer) + "\n")
        out.flush()


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in ENGINES:
        sys.exit(f"usage: peer.py ENGINE, one of {', '.join(ENGINES)}")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.modules["peer"] = sys.modules["__main__"]  # so that Unknown is one class
    serve(sys.argv[1], sys.stdin, answers)


if __name__ == "__main__":
    main()
