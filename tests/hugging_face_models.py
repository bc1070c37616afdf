"""Small models of Hugging Face's with random weights, and a tokenizer of a few pieces, made without a network."""

from __future__ import annotations

from typing import Any

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="transformers is the extra [language]")

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "lamp", "##s", "two", "chair", "is", "there", "?"]
PIECES += ["next", "to", "ta", "##ble", ".", "what", "this", "yes", "no", "on", "##e", "left"]
PAD, UNK, CLS, SEP = range(4)
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, **special)


def byte_tokenizer() -> Any:
    """Byte-level BPE, as GPT-2's: the space belongs to the piece behind it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=280, special_tokens=["<end>"], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(["a red lamp next to two lamps"] * 5, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<end>", eos_token="<end>")


class Processor:
    """What a processor is to us: a tokenizer and an image processor."""

    def __init__(self, size: int = 32) -> None:
        self.tokenizer = tokenizer()
        self.image_processor = transformers.ViTImageProcessor(size={"height": size, "width": size})


def livened(model: Any) -> Any:
    """Weights of a size that makes outputs differ: the usual 0.02 leaves small models almost blind."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.copy_(torch.randn(weight.shape) * (0.5 if weight.shape[-1] <= 32 else 0.3))
    return model.eval()


def encoder_config(kind: str) -> Any:
    common = {**SIZES, "image_size": 32, "patch_size": 8}
    if kind == "vit":
        return transformers.ViTConfig(**common)
    if kind == "deit":
        return transformers.DeiTConfig(**common)
    if kind == "registers":
        return transformers.Dinov2WithRegistersConfig(**common, num_register_tokens=3)
    assert kind == "swin"
    return transformers.SwinConfig(
        image_size=32, patch_size=2, embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=4
    )


def decoder_config(kind: str) -> Any:
    words = len(PIECES)
    if kind == "gpt2":
        return transformers.GPT2Config(
            n_embd=24,
            n_layer=2,
            n_head=2,
            vocab_size=words,
            n_positions=32,
            bos_token_id=CLS,
            eos_token_id=SEP,
            add_cross_attention=True,
        )
    return transformers.BertConfig(
        **SIZES, vocab_size=words, is_decoder=True, add_cross_attention=True, max_position_embeddings=32
    )


def encoder_decoder(encoder: str = "vit", decoder: str = "gpt2") -> Any:
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        encoder_config(encoder), decoder_config(decoder)
    )
    config.decoder_start_token_id, config.eos_token_id = CLS, SEP
    return livened(transformers.VisionEncoderDecoderModel(config=config))


def blip(kind: str) -> Any:
    text = {
        **SIZES,
        "encoder_hidden_size": 16,
        "vocab_size": len(PIECES),
        "max_position_embeddings": 40,
        "bos_token_id": CLS,
        "sep_token_id": SEP,
        "pad_token_id": PAD,
        "eos_token_id": SEP,
    }
    config = transformers.BlipConfig(
        text_config=text,
        vision_config={**SIZES, "image_size": 32, "patch_size": 8},
        projection_dim=8,
        image_text_hidden_size=8,
    )
    return livened(getattr(transformers, kind)(config))


def vilt() -> Any:
    config = transformers.ViltConfig(
        **SIZES,
        image_size=32,
        patch_size=8,
        vocab_size=len(PIECES),
        num_labels=4,
        id2label={3: "two", 0: "yes", 1: "no", 2: "lamp"},
        max_position_embeddings=40,
    )
    return livened(transformers.ViltForQuestionAnswering(config))
