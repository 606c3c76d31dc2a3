"""Trajectories of diffusers' schedulers under every option, small: python scheduler_options.py OUT_DIR

Writes OUT_DIR/options.json and OUT_DIR/options.safetensors. The model is eps(x, t) = 1.8 x / (1 + x x) + 0.1 (t / 1000 - 0.5) in float32;
x is the scaled model input. Per case: <case>.times, .init (init_noise_sigma), .sample (one more than calls), .noise (zero where none is drawn).
Made with diffusers 0.42.1 and torch 2.15.0.
"""
import inspect
import json
import sys

import diffusers
import torch
from safetensors.torch import save_file

BASE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
V, X = dict(prediction_type="v_prediction"), dict(prediction_type="sample")
CUT = dict(thresholding=True, sample_max_value=1.5, dynamic_thresholding_ratio=0.8)
CLIP = dict(clip_sample=True, clip_sample_range=0.7)
ZERO = dict(rescale_betas_zero_snr=True, timestep_spacing="trailing", **V)
LEAD, LIN, TRAIL = (dict(timestep_spacing=s) for s in ("leading", "linspace", "trailing"))
KARRAS, EXP, LU = dict(use_karras_sigmas=True), dict(use_exponential_sigmas=True), dict(use_lu_lambdas=True)
SIGMA_MIN = dict(final_sigmas_type="sigma_min")
COSINE = dict(beta_schedule="squaredcos_cap_v2")

CASES = {
    "DDIM": [dict(**CLIP), dict(**CUT), dict(**V, **TRAIL, steps_offset=0), dict(**X, **CLIP, **LIN)],
    "DDPM": [{}, dict(**CLIP), dict(**CUT), dict(**V, **TRAIL, **CLIP), dict(**X, **LIN), dict(variance_type="fixed_small_log", clip_sample=False),
             dict(beta_schedule="sigmoid"), dict(beta_schedule="laplace"), dict(**ZERO)],
    "PNDM": [dict(skip_prk_steps=True, **V), dict(**LIN, skip_prk_steps=True), dict(**TRAIL, skip_prk_steps=True, set_alpha_to_one=True)],
    "LMSDiscrete": [dict(**V), dict(**X), dict(**LEAD), dict(**TRAIL), dict(**KARRAS), dict(**EXP)],
    "EulerDiscrete": [dict(**X), dict(**V), dict(**EXP), dict(**KARRAS, sigma_min=0.1, sigma_max=9.0), dict(**SIGMA_MIN), dict(**ZERO),
                      dict(**V, timestep_type="continuous"), dict(**KARRAS, **COSINE), dict(**LEAD, steps_offset=0)],
    "EulerAncestralDiscrete": [dict(**V), dict(**LEAD), dict(**TRAIL), dict(**ZERO)],
    "HeunDiscrete": [dict(**V), dict(**X), dict(**CLIP), dict(**LEAD), dict(**TRAIL), dict(**KARRAS), dict(**EXP), dict(beta_schedule="exp")],
    "DPMSolverMultistep": [dict(**X), dict(**V), dict(**CUT), dict(**EXP), dict(**LU), dict(**ZERO), dict(lower_order_final=False, **SIGMA_MIN),
                           dict(algorithm_type="sde-dpmsolver++", solver_type="heun"), dict(algorithm_type="sde-dpmsolver++", solver_order=1, **V),
                           dict(algorithm_type="dpmsolver", solver_type="heun", **V, **SIGMA_MIN), dict(algorithm_type="dpmsolver", solver_order=3, **X, **SIGMA_MIN),
                           dict(**COSINE, lambda_min_clipped=-5.1)],
    "UniPCMultistep": [dict(**V), dict(**X), dict(**CUT), dict(**LEAD), dict(**TRAIL), dict(**EXP), dict(**KARRAS), dict(**ZERO), dict(solver_order=1), dict(solver_order=3),
                       dict(solver_type="midpoint"), dict(disable_corrector=[0, 2]), dict(predict_x0=False, **SIGMA_MIN), dict(predict_x0=False, **V, **SIGMA_MIN),
                       dict(predict_x0=False, **X, solver_type="bh1", **SIGMA_MIN), dict(lower_order_final=False, solver_order=3, **SIGMA_MIN)],
    "LCM": [dict(**V), dict(**X, **CLIP), dict(**CUT), dict(original_inference_steps=33, timestep_scaling=7.0)],
}


def fake(x, t):
    t = torch.as_tensor(float(t), dtype=torch.float32)
    return 1.8 * x / (1 + x * x) + 0.1 * (t / 1000 - 0.5)


def run(s, steps, start):
    s.set_timesteps(steps)
    g = torch.Generator().manual_seed(7)
    takes = "generator" in inspect.signature(s.step).parameters
    x, noises = start * s.init_noise_sigma, []
    samples = [x]
    for t in s.timesteps:
        out = fake(s.scale_model_input(x, t), t)
        state = g.get_state()
        x = s.step(out, t, x, **(dict(generator=g) if takes else {})).prev_sample
        drawn = torch.Generator()
        drawn.set_state(state)
        noises.append(torch.zeros_like(x) if torch.equal(state, g.get_state()) else torch.randn(x.shape, generator=drawn))
        samples.append(x)
    o = dict(times=torch.as_tensor(s.timesteps).float(), init=torch.as_tensor(float(s.init_noise_sigma)), sample=torch.stack(samples))
    if any(n.any() for n in noises):
        o["noise"] = torch.stack(noises)
    return o


def main(out):
    start = torch.randn((2, 4, 1, 2), generator=torch.Generator().manual_seed(3))
    info, tensors = {}, {"start": start}
    for name, options in CASES.items():
        for i, extra in enumerate(options):
            cls = getattr(diffusers, name + "Scheduler")
            case = f"{name}{i}"
            o = run(cls(**{**BASE, **extra}), 6, start)
            assert torch.isfinite(o["sample"]).all(), (case, extra)
            info[case] = {"_class_name": cls.__name__, **BASE, **extra}
            tensors.update({f"{case}.{k}": v.contiguous() for k, v in o.items()})
            print(f"{case:28s} {float(o['sample'].abs().max()):8.3f} {extra}")
    save_file(tensors, f"{out}/options.safetensors")
    with open(f"{out}/options.json", "w") as f:
        f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in info.items()) + "\n}\n")


main(sys.argv[1])
