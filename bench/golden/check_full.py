"""Hold the engine against the original libraries at the real sizes, one model at a time:

    python check_full.py OUT_DIR SYNTIC RESULTS.jsonl [--keep] [NAME...]

makes each model of make_full.py in OUT_DIR, runs `SYNTIC forward` on it with every layer and `SYNTIC compare` against the library's
outputs, adds a line to RESULTS.jsonl and removes the model.  RESULTS.md beside it shows the newest line of each module as a table.
A module passes with a cosine of at least 0.999999 and a largest error of at most 1e-4 of the tensor's largest value, in every tensor.
"""
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = {"clip_b32": ["clip.vision", "clip.text"], "clip_l14": ["clip.vision", "clip.text"], "sd_text": ["sd.text"],
           "sd_unet": ["sd.unet"], "sd_vae": ["sd.vae.encode", "sd.vae.decode"], "detr_r50": ["detr"], "gpt2": ["decoder"]}
TITLES = {"clip_b32": "CLIP ViT-B/32", "clip_l14": "CLIP ViT-L/14", "sd_text": "Stable Diffusion 1.4, text encoder", "sd_unet": "Stable Diffusion 1.4, UNet",
          "sd_vae": "Stable Diffusion 1.4, VAE", "detr_r50": "DETR-R50", "gpt2": "GPT-2 behind a prefix"}
MAIN = {"clip.vision": "image_embeds", "clip.text": "text_embeds", "sd.text": "last_hidden_state", "sd.unet": "out", "sd.vae.encode": "mean",
        "sd.vae.decode": "decoded", "detr": "pred_boxes", "decoder": "logits"}
TOLERANCE, COSINE = 1e-4, 0.999999
WIDE = 32  # latents above this: the VAE's inner results would be gigabytes, and the library's were not kept either


def shapes(path):
    with open(path, "rb") as f:
        head = json.loads(f.read(int.from_bytes(f.read(8), "little")))
    return {k: v["shape"] for k, v in head.items() if k != "__metadata__"}


def check(syntic, folder, name, module):
    out = os.path.join(folder, "syntic.safetensors")
    inputs = shapes(os.path.join(folder, "inputs.safetensors"))
    layers = [] if name == "sd_vae" and inputs["latent"][-1] > WIDE else ["--layers"]
    start = time.time()
    subprocess.run([syntic, "forward", module, "--model", folder, "--in", os.path.join(folder, "inputs.safetensors"), "--out", out, *layers],
                   check=True, stdout=subprocess.DEVNULL)
    seconds = time.time() - start
    r = subprocess.run([syntic, "compare", "--json", "--tolerance", str(TOLERANCE), out, os.path.join(folder, "outputs.safetensors")],
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    os.remove(out)
    tensors = json.loads(r.stdout)["tensors"]
    worst = max(tensors, key=lambda t: t["max_rel"])
    main = next(t for t in tensors if t["name"] == MAIN[module])
    ok = r.returncode == 0 and all(t["cosine"] >= COSINE and not t["beyond"] for t in tensors)
    return dict(model=name, module=module, inputs=inputs, tensors=len(tensors), passed=ok,
                output={k: main[k] for k in ("name", "max_abs", "max_rel", "cosine")},
                worst={k: worst[k] for k in ("name", "max_abs", "max_rel", "cosine")}, least_cosine=min(t["cosine"] for t in tensors),
                forward_seconds=round(seconds, 1))


def table(results):
    newest = {}
    for line in open(results, encoding="utf-8"):
        r = json.loads(line)
        newest[r["model"], r["module"], json.dumps(r["inputs"])] = r
    rows = ["# The engine against the original libraries, at the real sizes", "",
            "Random weights in the true layouts, float32 on both sides; made by `bench/golden/check_full.py`, lines in `" + os.path.basename(results) + "`.",
            "Every tensor that the library gives, inner layers too (not those of the VAE at 512×512), is compared: max rel is the largest error over the tensor's largest value. Asked for:",
            "cosine at least 0.999999, max rel at most 1e-4.", "",
            "| model | module | inputs | tensors | output | max rel | cosine | worst of all tensors | max rel | least cosine |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for r in newest.values():
        inputs = ", ".join(f"{k} {'×'.join(map(str, v))}" for k, v in r["inputs"].items() if "mask" not in k)
        rows.append(f"| {TITLES[r['model']]} | {r['module']} | {inputs} | {r['tensors']} | {r['output']['name']} | {r['output']['max_rel']:.1e} | "
                    f"{r['output']['cosine']:.9f} | {r['worst']['name']} | {r['worst']['max_rel']:.1e} | {r['least_cosine']:.9f} |")
    last = list(newest.values())[-1]
    v = last["versions"]
    rows += ["", "References: " + ", ".join(f"{k} {v[k]}" for k in ("torch", "transformers", "diffusers", "timm", "numpy") if k in v) +
             f", on the CPU. Engine: {last['isa']}, {last['machine']}. " + ("All pass." if all(r["passed"] for r in newest.values()) else "NOT ALL PASS.")]
    with open(os.path.splitext(results)[0] + ".md", "w", encoding="utf-8") as f:
        f.write("\n".join(rows) + "\n")


def main():
    args = [a for a in sys.argv[1:] if a != "--keep"]
    if len(args) < 3 or set(args[3:]) - set(MODULES):
        sys.exit(__doc__)
    out, syntic, results = args[:3]
    cpu = json.loads(subprocess.run([syntic, "kernels", "--json", "softmax"], stdout=subprocess.PIPE, check=True).stdout)["machine"]["cpu"]
    passed = True
    for name in args[3:] or list(MODULES):
        folder = os.path.join(out, name)
        if not os.path.exists(folder + "/versions.json"):  # the last file that make_full.py writes
            subprocess.run([sys.executable, os.path.join(HERE, "make_full.py"), out, name], check=True)
        for module in MODULES[name]:
            r = check(syntic, folder, name, module)
            r.update(versions=json.load(open(folder + "/versions.json")), machine=platform.machine(), isa=cpu["used"],
                     date=datetime.date.today().isoformat())
            with open(results, "a", encoding="utf-8") as f:
                f.write(json.dumps(r) + "\n")
            passed = passed and r["passed"]
            print(f"{name} {module}: {'pass' if r['passed'] else 'FAIL'}, worst {r['worst']}", flush=True)
        if "--keep" not in sys.argv:
            shutil.rmtree(folder)
    table(results)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
