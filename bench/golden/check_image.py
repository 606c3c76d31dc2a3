"""Hold `syntic generate` against diffusers at the real sizes of Stable Diffusion 1.4, pixel by pixel:

    python check_image.py OUT_DIR SYNTIC RESULTS.jsonl [--keep]

makes a whole pipeline folder with random weights (text encoder, UNet, VAE, scheduler, tokenizer), draws an image with diffusers'
StableDiffusionPipeline and the same one with `SYNTIC generate`, and adds a line to RESULTS.jsonl (Linux): the largest difference of a pixel, of 255, how many
bytes differ, and the peak memory of the engine's process, also for one step at 512x512.  Passes with a largest difference of at most 1.
OUT_DIR/clip_tokenizer must hold the tokenizer (make_tokenizer.py).  Takes 5 GB of disk and 9 GB of memory.
"""
import gc
import subprocess
import time

from common import *

SIDE, STEPS, GUIDANCE, SEED = 256, 20, 7.5, 2024
PROMPT, NEGATIVE = "a photo of a cat sitting on the table", "blurry, low quality"
torch.set_num_threads(int(os.environ.get("GOLDEN_THREADS", "2")))


def make(d):
    """A folder in which every file has the layout of the hub's stable-diffusion-v1-4."""
    import make_full
    import make_sd
    for layer in (torch.nn.Linear, torch.nn.Conv2d, torch.nn.Embedding):
        layer.reset_parameters = lambda self: None  # a thousand million numbers that randomise draws anew
    tokenizer = os.path.join(os.path.dirname(d), "clip_tokenizer")
    unet, vae = {**make_sd.UNET, **make_full.SD_UNET}, {**make_sd.VAE, **make_full.SD_VAE}
    make_sd.build(d, tokenizer, unet, vae, make_full.SD_TEXT, seed=200)
    for name in os.listdir(d + "/tokenizer"):  # the vocabulary and its settings only
        if name not in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
            p = os.path.join(d, "tokenizer", name)
            shutil.rmtree(p) if os.path.isdir(p) else os.remove(p)


def draw(d):
    """diffusers' image as uint8 [H, W, 3]."""
    import make_sd
    from make_schedulers import make as scheduler
    p = make_sd.pipeline(d, scheduler("DDIMScheduler", {}))
    with torch.no_grad():
        r = p(PROMPT, negative_prompt=NEGATIVE, num_inference_steps=STEPS, guidance_scale=GUIDANCE, height=SIDE, width=SIDE,
              generator=torch.Generator("cpu").manual_seed(SEED))
    return np.asarray(r.images[0])


def generate(syntic, d, out, side, steps):
    """Runs the engine; seconds and peak resident MiB of its process, as the kernel keeps it: getrusage would count this process before exec."""
    start, peak = time.time(), 0
    p = subprocess.Popen([syntic, "generate", "--sd", d, "--prompt", PROMPT, "--negative", NEGATIVE, "--sampler", "ddim", "--steps", str(steps),
                          "--guidance", str(GUIDANCE), "--size", f"{side}x{side}", "--seed", str(SEED), "--rng", "torch", "--out", out],
                         stdout=subprocess.DEVNULL)
    while p.poll() is None:
        with open(f"/proc/{p.pid}/status", encoding="ascii") as f:
            peak = max([peak] + [int(line.split()[1]) for line in f if line.startswith("VmHWM") and time.time() - start > 1])
        time.sleep(0.05)
    if p.returncode:
        sys.exit(p.returncode)
    return time.time() - start, peak / 1024


def main():
    args = [a for a in sys.argv[1:] if a != "--keep"]
    if len(args) != 3:
        sys.exit(__doc__)
    from PIL import Image
    d, syntic, results = os.path.join(args[0], "sd14"), args[1], args[2]
    if not os.path.exists(d + "/diffusers.png"):
        shutil.rmtree(d, ignore_errors=True)
        os.makedirs(d)
        make(d)
        gc.collect()
        start = time.time()
        Image.fromarray(draw(d)).save(d + "/diffusers.png")
        print(f"diffusers: {time.time() - start:.0f} s")
        gc.collect()
    theirs = np.asarray(Image.open(d + "/diffusers.png")).astype(int)
    small, small_peak = generate(syntic, d, d + "/syntic.png", SIDE, STEPS)
    ours = np.asarray(Image.open(d + "/syntic.png").convert("RGB")).astype(int)
    large, large_peak = generate(syntic, d, d + "/large.png", 512, 1)
    weights = sum(os.path.getsize(os.path.join(f, n)) for f, _, names in os.walk(d) for n in names if n.endswith(".safetensors")) / 2**20
    diff = abs(ours - theirs)
    r = dict(model="Stable Diffusion 1.4, random weights", sampler="ddim", steps=STEPS, guidance=GUIDANCE, size=f"{SIDE}x{SIDE}", seed=SEED,
             max_diff=int(diff.max()), bytes=int(diff.size), bytes_that_differ=int((diff > 0).sum()), image_std=round(float(theirs.std()), 1),
             seconds=round(small, 1), peak_mib=round(small_peak), one_step_512=dict(seconds=round(large, 1), peak_mib=round(large_peak)),
             weights_mib=round(weights), passed=bool(diff.max() <= 1), versions=versions())
    with open(results, "a", encoding="utf-8") as f:
        f.write(json.dumps(r) + "\n")
    print(json.dumps(r))
    if "--keep" not in sys.argv:
        shutil.rmtree(d)
    sys.exit(0 if r["passed"] else 1)


if __name__ == "__main__":
    main()
