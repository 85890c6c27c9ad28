"""Trains and exports the demo network: a small convolutional classifier of Fashion-MNIST.

usage: train_fashion.py [--data DIR] [--out DIR] [--tune]

Without --tune it
  1. trains on 55,000 training images and scores the 5,000 held out,
  2. trains again, from the same seed, on all 60,000,
  3. exports that network as OUT/fashion.onnx with the defaults of torch.onnx.export,
  4. counts, once, the test images that PyTorch and onnxruntime classify rightly.
With --tune it trains every candidate of CANDIDATES on the 55,000 and prints its score on the
5,000; the choice among them is made from these scores alone. The test set is not read.

Input: 1 x 1 x 28 x 28 float32 in [0, 1], the pixels divided by 255. Output: 1 x 10 logits.
Needs numpy, torch, onnx, onnxscript and onnxruntime, and no network. DIR holds the four idx.gz
files; its default is where Debian's dataset-fashion-mnist puts them. Everything runs on one
thread from fixed seeds. Exit code 1: a network that misses the promises below.
"""

import argparse
import dataclasses
import gzip
import math
import pathlib
import platform
import struct
import sys
import time

import numpy as np
import onnx
import onnxruntime
import onnxscript
import torch
from torch import nn
from torch.nn import functional

LEAST_ACCURACY = 0.91
MOST_BYTES = 2 * 1024 * 1024
HELD_OUT = 5_000
SPLIT_SEED = 20_170_825
TRAIN_SEED = 1
BATCH = 128


@dataclasses.dataclass(frozen=True)
class Settings:
    """widths: output channels of each block; mirror: flip half of the images while training."""

    widths: tuple = (16, 32, 64)
    hidden: int = 64
    mirror: bool = False
    epochs: int = 8
    rate: float = 0.004
    decay: float = 0.01


CANDIDATES = {"plain": Settings(), "mirrored": Settings(mirror=True)}
CHOSEN = CANDIDATES["plain"]


class FashionNet(nn.Module):
    """Three blocks of 3 x 3 convolution, normalisation, ReLU and 2 x 2 pooling, then two layers."""

    def __init__(self, settings: Settings):
        super().__init__()
        blocks, channels, side = [], 1, 28
        for width in settings.widths:
            blocks += [
                nn.Conv2d(channels, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            channels, side = width, side // 2
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * side * side, settings.hidden),
            nn.ReLU(),
            nn.Linear(settings.hidden, 10),
        )

    def forward(self, images):
        return self.classifier(self.features(images))


def read_idx(path: pathlib.Path) -> np.ndarray:
    """An idx.gz file of unsigned bytes: zero, zero, type 8, rank, then big-endian sizes."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        sys.exit(f"{path}: {error}; install dataset-fashion-mnist or give --data")
    zero, kind, rank = struct.unpack(">HBB", content[:4])
    shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
    if (zero, kind) != (0, 8) or values.size != math.prod(shape):
        sys.exit(f"{path}: not an idx file of bytes")
    return values.reshape(shape)


def load(folder: pathlib.Path, part: str):
    """Images as float32 N x 1 x 28 x 28 in [0, 1] and labels as int64."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    pixels = torch.from_numpy(images.astype(np.float32) / np.float32(255))
    return pixels.unsqueeze(1), torch.from_numpy(labels.astype(np.int64))


def mirror_half(images, generator):
    mirrored = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    return torch.where(mirrored, images.flip(3), images)


def train(settings: Settings, images, labels, name: str) -> FashionNet:
    """AdamW under a one-cycle rate. The result is in evaluation mode."""
    torch.manual_seed(TRAIN_SEED)
    generator = torch.Generator().manual_seed(TRAIN_SEED)
    # Channels last takes two thirds of the time of the default layout on one core.
    model = FashionNet(settings).to(memory_format=torch.channels_last).train()
    steps = math.ceil(len(images) / BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=settings.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.rate, epochs=settings.epochs, steps_per_epoch=steps
    )
    start = time.monotonic()
    for epoch in range(settings.epochs):
        total = 0.0
        for rows in torch.randperm(len(images), generator=generator).split(BATCH):
            batch = mirror_half(images[rows], generator) if settings.mirror else images[rows]
            batch = batch.contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(model(batch), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        seconds = time.monotonic() - start
        print(
            f"{name}: epoch {epoch + 1}/{settings.epochs}, "
            f"training loss {total / len(images):.4f}, {seconds:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    return model.to(memory_format=torch.contiguous_format).eval()


@torch.no_grad()
def classify(model: nn.Module, images) -> torch.Tensor:
    return torch.cat([model(part).argmax(1) for part in images.split(1000)])


def correct(predictions, labels) -> int:
    return int((predictions == labels).sum())


def share(right: int, labels) -> str:
    return f"{right} of {len(labels)} ({right / len(labels):.4f})"


def split(images, labels):
    """The fixed 55,000 and 5,000 of the training set."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(SPLIT_SEED))
    kept, held = order[HELD_OUT:], order[:HELD_OUT]
    return images[kept], labels[kept], images[held], labels[held]


def score_split(settings: Settings, images, labels, name: str) -> None:
    fit_images, fit_labels, held_images, held_labels = split(images, labels)
    model = train(settings, fit_images, fit_labels, name)
    right = correct(classify(model, held_images), held_labels)
    print(f"{name}: {share(right, held_labels)} held-out training images", flush=True)


def classify_exported(path: pathlib.Path, images) -> torch.Tensor:
    """The exported batch is fixed at 1, so each image is a run of its own."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    answers = [session.run(None, {entry.name: image[None]})[0].argmax() for image in images.numpy()]
    return torch.tensor(answers)


def export(model: FashionNet, path: pathlib.Path) -> int:
    """Writes the network with the exporter's defaults; returns the bytes of all files written."""
    torch.onnx.export(model, (torch.zeros(1, 1, 28, 28),), str(path))
    onnx.checker.check_model(str(path), full_check=True)
    return sum(file.stat().st_size for file in path.parent.glob(path.name + "*"))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    parser.add_argument("--tune", action="store_true", help="score the candidates, export nothing")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    packages = (torch, onnx, onnxscript, onnxruntime, np)
    versions = ", ".join(f"{package.__name__} {package.__version__}" for package in packages)
    print(f"python {platform.python_version()}, {versions}")
    images, labels = load(arguments.data, "train")
    if arguments.tune:
        for name, settings in CANDIDATES.items():
            score_split(settings, images, labels, name)
        return 0

    score_split(CHOSEN, images, labels, "split")
    model = train(CHOSEN, images, labels, "final")
    path = arguments.out / "fashion.onnx"
    size = export(model, path)
    test_images, labels = load(arguments.data, "t10k")
    answers, exported_answers = classify(model, test_images), classify_exported(path, test_images)
    right, exported_right = correct(answers, labels), correct(exported_answers, labels)
    print(f"parameters: {sum(p.numel() for p in model.parameters())}; files: {size} bytes")
    print(f"test, PyTorch: {share(right, labels)}")
    print(f"test, onnxruntime: {share(exported_right, labels)}")
    print(f"answers that differ: {len(labels) - correct(answers, exported_answers)}")
    accurate = exported_right >= LEAST_ACCURACY * len(labels)
    return 0 if accurate and right == exported_right and size <= MOST_BYTES else 1



if __name__ == "__main__":
    sys.exit(main())
