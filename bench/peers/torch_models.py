"""The models of torch_peer, of the true sizes with random weights: CLIP, Stable Diffusion 1.4, DETR-R50 by transformers and diffusers, and a
training step of the paper's decoder."""
import math

import torch
import torch.nn.functional as F

from peer import Unknown

BOS, EOS, POSITIONS = 49406, 49407, 77
# captions of COCO's Karpathy test split with 8, 9, 10 … tokens; see captionLengths in bench/model_nets.go
LENGTHS = [1, 86, 1675, 2537, 2651, 2070, 1384, 786, 509, 280, 171, 118, 73, 31, 30, 18, 14, 12, 11, 6, 2, 4, 3, 3, 5, 1, 1, 0, 1, 0, 2, 0, 1, 1, 1, 0, 2]


def dtype(case):
    return torch.bfloat16 if case.half else torch.float32


def built(make):
    """The model that make gives, its weights random; layers do not draw their own first, which takes long for a billion."""
    kept = {layer: layer.reset_parameters for layer in (torch.nn.Linear, torch.nn.Conv2d, torch.nn.Embedding)}
    for layer in kept:
        layer.reset_parameters = lambda self: None
    try:
        model = make()
    finally:
        for layer, reset in kept.items():
            layer.reset_parameters = reset
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() > 1:
                bound = math.sqrt(3 / p[0].numel())
                p.uniform_(-bound, bound)
            elif name.endswith("bias") or "embedding" in name:
                p.uniform_(-0.02, 0.02)
    return model.eval().requires_grad_(False)


def ready(case, setting, model):
    """The model in the case's precision and the setting's layout or compiled."""
    if setting not in ("eager", "channels_last", "compile"):
        raise Unknown(f"not measured with {setting}")
    model = model.to(dtype(case))
    if setting == "channels_last":
        return model.to(memory_format=torch.channels_last)
    if setting == "compile":
        import torch._inductor.config as config
        config.freezing = True
        model.forward = torch.compile(model.forward)
    return model


def pixels(case, setting, *shape):
    x = torch.randn(*shape, dtype=dtype(case))
    return x.to(memory_format=torch.channels_last) if setting == "channels_last" else x


def quiet(fn):
    def call():
        with torch.no_grad():  # inference_mode keeps the compiler from freezing
            fn()
    return call


def clip_image_model():
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
    return built(lambda: CLIPVisionModelWithProjection(CLIPVisionConfig(projection_dim=512)))  # its defaults are ViT-B/32


def clip_text_model():
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection
    return built(lambda: CLIPTextModelWithProjection(CLIPTextConfig(projection_dim=512, bos_token_id=0, eos_token_id=2, pad_token_id=1)))


def clip_image(case, setting):
    model = ready(case, setting, clip_image_model())
    x = pixels(case, setting, case.size("b"), 3, 224, 224)
    return quiet(lambda: F.normalize(model(pixel_values=x).image_embeds, dim=-1))


def texts(lengths, width):
    ids = torch.full((len(lengths), width), EOS)
    for i, n in enumerate(lengths):
        ids[i, :n - 1] = torch.randint(320, 40000, (n - 1,))
        ids[i, 0] = BOS
    return ids


def caption_lengths(n):
    """Lengths of n captions that stand evenly among those of the corpus, rising."""
    total, out = sum(LENGTHS), []
    for i in range(n):
        at = (2 * i + 1) * total // (2 * n)
        for length, count in enumerate(LENGTHS, 8):
            at -= count
            if at < 0:
                break
        out.append(length)
    return out


def clip_text(case, setting):
    model = ready(case, setting, clip_text_model())
    ids = texts([POSITIONS] * case.size("b"), POSITIONS)
    return quiet(lambda: F.normalize(model(input_ids=ids).text_embeds, dim=-1))


def clip_text_real(case, setting):
    """Every batch of 64 cut to its longest text, as a careful user would."""
    model = ready(case, setting, clip_text_model())
    lengths = caption_lengths(case.size("b"))
    batches = [texts(part, max(part)) for part in (lengths[a:a + 64] for a in range(0, len(lengths), 64))]
    return quiet(lambda: [F.normalize(model(input_ids=ids).text_embeds, dim=-1) for ids in batches])


def unet_model():
    from diffusers import UNet2DConditionModel
    return built(lambda: UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8, block_out_channels=(320, 640, 1280, 1280)))


def sd_unet(case, setting):
    model = ready(case, setting, unet_model())
    x, t, text = pixels(case, setting, 1, 4, 64, 64), torch.tensor(801), torch.randn(1, 77, 768, dtype=dtype(case))
    return quiet(lambda: model(x, t, encoder_hidden_states=text).sample)


def vae_model():
    from diffusers import AutoencoderKL
    return built(lambda: AutoencoderKL(down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
                                       block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512))


class Decode(torch.nn.Module):
    """The VAE's decoder as a forward."""

    def __init__(self):
        super().__init__()
        self.vae = vae_model()
        self.vae.encoder = None

    def forward(self, z):
        return self.vae.decode(z).sample


def sd_vae_decode(case, setting):
    model = ready(case, setting, Decode())
    z = pixels(case, setting, 1, 4, 64, 64)
    return quiet(lambda: model(z))


def detr_model():
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig
    backbone = ResNetConfig(embedding_size=64, hidden_sizes=[256, 512, 1024, 2048], depths=[3, 4, 6, 3], layer_type="bottleneck", out_features=["stage4"])
    return built(lambda: DetrForObjectDetection(DetrConfig(use_timm_backbone=False, backbone_config=backbone, backbone=None, num_labels=91, num_queries=100)))


def detr(case, setting):
    model = ready(case, setting, detr_model())
    x = pixels(case, setting, 1, 3, 800, 1066)
    return quiet(lambda: model(pixel_values=x))


class Block(torch.nn.Module):
    """GPT-2's layer."""

    def __init__(self, c, heads):
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = torch.nn.LayerNorm(c), torch.nn.LayerNorm(c)
        self.qkv, self.out = torch.nn.Linear(c, 3 * c), torch.nn.Linear(c, c)
        self.up, self.down = torch.nn.Linear(c, 4 * c), torch.nn.Linear(4 * c, c)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(self.n1(x)).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        h = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(h.transpose(1, 2).reshape(b, n, c))
        return x + self.down(F.gelu(self.up(self.n2(x)), approximate="tanh"))


class Decoder(torch.nn.Module):
    """The paper's decoder: a feature in front, then 39 tokens; 40 are predicted, by the embedding table."""

    def __init__(self, vocabulary=49408, c=512, layers=4, heads=4, positions=40):
        super().__init__()
        self.tokens, self.positions = torch.nn.Embedding(vocabulary, c), torch.nn.Embedding(positions, c)
        self.feature = torch.nn.Linear(512, c)
        self.blocks, self.norm = torch.nn.ModuleList([Block(c, heads) for _ in range(layers)]), torch.nn.LayerNorm(c)
        for p in self.parameters():
            if p.dim() > 1:
                torch.nn.init.normal_(p, std=0.02)

    def forward(self, v, ids, target):
        x = torch.cat([self.feature(v)[:, None], self.tokens(ids)], 1) + self.positions.weight
        for b in self.blocks:
            x = b(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), target.view(-1))


def decoder_train(case, setting):
    if setting not in ("eager", "compile"):
        raise Unknown(f"not measured with {setting}")
    model = Decoder()
    loss_of = torch.compile(model) if setting == "compile" else model
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    v = F.normalize(torch.randn(80, 512), dim=-1)
    target = torch.randint(0, BOS, (80, 40))
    target[:, -1] = EOS

    def call():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=case.half):
            loss = loss_of(v, target[:, :-1], target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return call


MAKERS = {"clip-image": clip_image, "clip-text": clip_text, "clip-text-real": clip_text_real, "sd-unet": sd_unet, "sd-vae-decode": sd_vae_decode,
          "detr": detr, "decoder-train": decoder_train}
