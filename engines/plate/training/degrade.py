"""Data augmentation: lighting, blur, noise, compression. Images in and out are BGR uint8."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

BgrImage = NDArray[np.uint8]
Rng = np.random.Generator


def cloud(height: int, width: int, cells: int, rng: Rng) -> NDArray[np.float32]:
    """Smooth noise in 0..1 of shape (height, width), float32, with about `cells` periods along each side."""
    small = rng.random((cells + 1, cells + 1), dtype=np.float32)
    return np.clip(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def light(image: BgrImage, rng: Rng) -> BgrImage:
    """Exposure, gamma, colour cast, saturation, uneven light and hard shadow edges."""
    height, width = image.shape[:2]
    value = image.astype(np.float32) / 255
    if rng.random() < 0.5:
        value = value ** rng.uniform(0.55, 1.9)
    gain = np.full(3, rng.uniform(0.55, 1.3), np.float32)
    if rng.random() < 0.6:
        gain *= rng.uniform(0.82, 1.18, 3).astype(np.float32)
    value *= gain
    if rng.random() < 0.3:
        grey = value.mean(2, keepdims=True)
        value = grey + (value - grey) * rng.uniform(0.15, 1.5)
    if rng.random() < 0.35:
        value *= (rng.uniform(0.4, 0.9) + cloud(height, width, 2, rng) * rng.uniform(0.2, 0.9))[..., None]
    if rng.random() < 0.25:
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.9)
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        side = (xs / width - offset) * np.cos(angle) + (ys / height - offset) * np.sin(angle)
        value *= np.where(side > 0, 1, rng.uniform(0.3, 0.8)).astype(np.float32)[..., None]
    if rng.random() < 0.12:
        centre = rng.uniform((0, 0), (width, height))
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        far = ((xs - centre[0]) ** 2 + (ys - centre[1]) ** 2) / (rng.uniform(0.1, 0.5) * width) ** 2
        value += (np.exp(-far) * rng.uniform(0.2, 0.9))[..., None]
    if rng.random() < 0.25:
        value = value * rng.uniform(0.45, 0.9) + rng.uniform(0, 0.4)
    return np.clip(value * 255, 0, 255).astype(np.uint8)


def night(image: BgrImage, rng: Rng) -> BgrImage:
    """Low light with a warm or cold colour cast."""
    value = image.astype(np.float32) / 255
    value = value ** rng.uniform(1.2, 2.2) * rng.uniform(0.25, 0.8) * rng.uniform((0.5, 0.7, 0.8), (1.1, 1.1, 1.2))
    return np.clip(value * 255, 0, 255).astype(np.uint8)


def motion(image: BgrImage, length: float, rng: Rng) -> BgrImage:
    """Motion blur of `length` pixels in a random direction."""
    size = int(length) | 1
    if size < 3:
        return image
    kernel = np.zeros((size, size), np.float32)
    angle = rng.uniform(0, np.pi)
    step = np.array([np.cos(angle), np.sin(angle)]) * (size - 1) / 2
    centre = (size - 1) / 2
    a, b = np.round(centre - step).astype(int), np.round(centre + step).astype(int)
    cv2.line(kernel, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def camera(image: BgrImage, rng: Rng, *, strength: float = 1.0) -> BgrImage:
    """Blur, resampling, noise, sharpening and JPEG. `strength` in 0..1."""
    if rng.random() < 0.5 * strength:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.4 + 1.2 * strength))
    if rng.random() < 0.25 * strength:
        image = motion(image, rng.uniform(2, 3 + 5 * strength), rng)
    if rng.random() < 0.55:
        sigma = rng.uniform(1, 3 + 14 * strength)
        channels = 3 if rng.random() < 0.5 else 1
        noise = rng.standard_normal((*image.shape[:2], channels), dtype=np.float32) * sigma
        if rng.random() < 0.3:
            noise = cv2.GaussianBlur(noise, (0, 0), 0.8).reshape(noise.shape) * 1.8
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 2.0))
        amount = rng.uniform(0.3, 1.5)
        image = cv2.addWeighted(image, 1 + amount, soft, -amount, 0)
    if rng.random() < 0.6:
        quality = int(rng.uniform(95 - 70 * strength, 97))
        _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < 0.06:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return image
