"""Rendering of bodies, camera and hall to images, with boxes and joint visibility."""

from dataclasses import dataclass

import cv2
import numpy as np

from . import raster
from .appearance import Look, capsule_ends
from .camera import CameraTrack
from .skeleton import Body, Posture
from .venue import Venue, draw_board

#: A joint is hidden when another part of the body is nearer by this much (metres), a bit more than the joint's own
#: thickness.  The face lies on the surface of the head, so it has less.
_JOINT_DEPTH = np.repeat([0.035, 0.08, 0.11, 0.07, 0.06, 0.16, 0.09, 0.07], [3, 2, 2, 2, 2, 2, 2, 2])
HIDDEN, VISIBLE, OUTSIDE = 1, 2, 0


@dataclass(frozen=True, eq=False)
class Figure:
    """A person or object over T frames of S moments each."""

    parts: np.ndarray  # (T, S, P, 19) float32 as raster draws them
    look: Look
    depth: np.ndarray  # (T,) metres from the camera; far figures are drawn first
    shadow: np.ndarray  # (T, P, 19) float32 parts on the floor; P = 0 for no shadow
    joints: np.ndarray  # (T, 17, 3) float32 px x, y and depth at which a joint counts as hidden; (T, 0, 3) for none

    @property
    def boxes(self) -> np.ndarray:
        """(T, 4) xyxy around the whole figure at mid-shutter, including hidden parts; may extend beyond the image."""
        return self.group_boxes(self.parts.shape[2])[:, 0]

    def group_boxes(self, size: int) -> np.ndarray:
        """Return (T, P / size, 4) xyxy around every ``size`` parts: the people of a crowd drawn as one figure."""
        mid = self.parts[:, self.parts.shape[1] // 2]
        ends = mid[..., :10].reshape(len(mid), -1, size, 2, 5)
        xy, radius = ends[..., :2], ends[..., 3:4]
        return np.concatenate([(xy - radius).min(axis=(2, 3)), (xy + radius).max(axis=(2, 3))], axis=-1)


def project_capsules(ends: np.ndarray, radii: np.ndarray, axes: np.ndarray | None, camera: CameraTrack) -> np.ndarray:
    """Project capsules in the world, as of :func:`capsule_ends`, to (T, P, 19) float32 parts.

    ``axes`` is None for objects without a front; ``camera`` has T moments.
    """
    pixel = camera.project(ends)
    radii_px = radii * camera.focal[:, None, None] / pixel[..., 2]
    columns = [pixel, radii_px[..., None], np.broadcast_to(radii[..., None], radii_px.shape + (1,))]
    out = np.zeros(ends.shape[:2] + (raster.PART_SIZE,), np.float32)
    out[..., :10] = np.concatenate(columns, axis=-1).reshape(out.shape[:2] + (10,))
    if axes is not None:
        turned = np.einsum('tij,tpjk->tpki', camera.rotation, axes)
        out[..., 10:] = turned.reshape(turned.shape[:2] + (9,))
    return out


def make_figure(
    body: Body,
    posture: Posture,
    look: Look,
    camera: CameraTrack,
    sub_frames: int,
    light: np.ndarray,
    joints: bool = False,
) -> Figure:
    """Make a Figure of T frames of a person at T * S moments; ``light`` (3,) points to the lamps."""
    ends, radii, axes = capsule_ends(body, posture.nodes, posture.frames, look)
    parts = project_capsules(ends, radii, axes, camera)
    mid = slice(sub_frames // 2, None, sub_frames)
    flat = ends[mid] - ends[mid][..., 2:] * (light / light[2])
    shadow = project_capsules(flat, radii * 0.9, None, camera[mid])
    pixels = camera[mid].project(posture.joints[mid][:, : 17 * joints])
    if joints:
        pixels[..., 2] -= _JOINT_DEPTH * body.stature / 1.65
    depth = camera[mid].to_camera(posture.nodes[mid][:, 0])[:, 2]
    return Figure(parts.reshape((-1, sub_frames) + parts.shape[1:]), look, depth, shadow, pixels.astype(np.float32))


def make_thing(ends: np.ndarray, radii: np.ndarray, colors: np.ndarray, camera: CameraTrack, sub_frames: int) -> Figure:
    """Make an object (post, rail, heads of a crowd) of capsules, (P, 2, 3) at rest or (T * S, P, 2, 3) moving."""
    parts = project_capsules(np.broadcast_to(ends, (len(camera),) + ends.shape[-3:]), radii, None, camera)
    parts = parts.reshape((-1, sub_frames) + parts.shape[1:])
    depth = parts[:, sub_frames // 2, :, 2].min(axis=1)
    no_shadow, no_joints = (np.zeros((len(parts), 0, size), np.float32) for size in (raster.PART_SIZE, 3))
    return Figure(parts, Look.plain(colors), depth, no_shadow, no_joints)


class SceneRenderer:
    """Render the frames of one shot.

    Args:
        venue: The hall.
        camera: T * S moments, S a frame.
        figures: People and objects; T frames each.
        rng: Of the noise.
        sub_frames: S.
        backdrop: Image of the empty hall from this position and its camera, as of :func:`venue.panorama`.
    """

    def __init__(
        self,
        venue: Venue,
        camera: CameraTrack,
        figures: list[Figure],
        rng: np.random.Generator,
        sub_frames: int,
        backdrop: tuple[np.ndarray, CameraTrack],
    ) -> None:
        self.venue, self.camera, self.figures, self.rng, self.sub_frames = venue, camera, figures, rng, sub_frames
        wide, high = camera.size
        grain = rng.standard_normal((high + 97, wide + 97, 3)).astype(np.float32)
        self._noise = cv2.GaussianBlur(grain, (3, 3), 0.6) * 1.6
        self._backdrop, reference = backdrop
        back = reference.rotation[0].T @ np.linalg.inv(reference.intrinsics[0])
        self._warps = camera.intrinsics @ camera.rotation @ back
        self._scroll = rng.uniform(-60, 60)

    def __len__(self) -> int:
        return len(self.camera) // self.sub_frames

    def render(self, frame: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Render one frame.

        Returns:
            RGB uint8 (H, W, 3), and for every figure with joints (17,) uint8: 2 visible, 1 hidden by a body or object,
            0 outside the image.
        """
        image = self._background(frame)
        wide, high = self.camera.size
        mid = frame * self.sub_frames + self.sub_frames // 2
        light = (self.camera.rotation[mid] @ self.venue.light).astype(np.float32)
        for figure in self.figures:
            raster.darken_figure(image, figure.shadow[frame], np.float32(0.38))
        visible: dict[int, np.ndarray] = {}
        at: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for k in sorted(range(len(self.figures)), key=lambda k: -self.figures[k].depth[frame]):
            look, joints = self.figures[k].look, self.figures[k].joints[frame]
            hidden = np.zeros(len(joints), np.uint8)
            cover = np.zeros((high, wide), np.float32)
            raster.draw_figure(
                image, self.figures[k].parts[frame], look.kinds, look.colors, look.params, light,
                np.float32(self.venue.ambient), joints, hidden, cover,
            )  # fmt: skip
            for other, (x, y) in at.items():
                visible[other][(cover[y, x] > 0.5) & (visible[other] != OUTSIDE)] = HIDDEN
            if len(joints):
                pixels = np.floor(joints[:, :2]).astype(int)
                inside = ((pixels >= 0) & (pixels < (wide, high))).all(axis=1)
                x, y = pixels.clip(0, (wide - 1, high - 1)).T
                at[k] = x, y
                visible[k] = np.where(inside, np.where(hidden, HIDDEN, VISIBLE), OUTSIDE).astype(np.uint8)
        row, column = self.rng.integers(0, 97, 2)
        out = np.empty((high, wide, 3), np.uint8)
        noise = self._noise[row : row + high, column : column + wide]
        raster.develop(image, noise, np.float32(self.venue.noise), self.venue.gain.astype(np.float32), out)
        return out, [visible[k] for k in sorted(visible)]

    def _background(self, frame: int) -> np.ndarray:
        size, first = self.camera.size, frame * self.sub_frames
        warps = self._warps[first : first + self.sub_frames]
        # One moment per half pixel of image motion, at most all of them.
        middle = np.array(size) / 2
        moved = warps[-1] @ (np.linalg.inv(warps[0]) @ np.append(middle, 1.0))
        shift = np.hypot(*(moved[:2] / moved[2] - middle))
        num = int(np.clip(np.ceil(2 * shift), 1, self.sub_frames))
        picks = np.unique(np.linspace(0, self.sub_frames - 1, num).round().astype(int))
        if num == 1:
            picks = np.array([self.sub_frames // 2])
        scroll = self._scroll * frame / self.venue.fps
        total = np.zeros((size[1], size[0], 3), np.float32)
        for k in picks:
            view = cv2.warpPerspective(
                self._backdrop, warps[k], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            draw_board(view, self.venue, self.camera[first + k : first + k + 1], scroll)
            cv2.accumulate(view, total)
        return total / len(picks)
