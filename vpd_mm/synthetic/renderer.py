"""Rendering of bodies, camera and hall to images, with boxes and joint visibility."""

from dataclasses import dataclass

import cv2
import numpy as np

from . import raster
from .appearance import Look, capsule_ends
from .camera import CameraTrack
from .skeleton import COCO_INDEX, Body, Posture
from .venue import Venue, board_warp, panorama

#: Moments averaged over the open shutter.
SUB_FRAMES = 8
#: A joint is hidden when another part of the body is nearer by this much (metres), a bit more than the joint's own
#: thickness.  The face lies on the surface of the head, so it has less.
_JOINT_DEPTH = np.repeat([0.035, 0.08, 0.11, 0.07, 0.06, 0.16, 0.09, 0.07], [3, 2, 2, 2, 2, 2, 2, 2])
HIDDEN, VISIBLE, OUTSIDE = 1, 2, 0


@dataclass(frozen=True, eq=False)
class Figure:
    """A person (or object) over T frames of S moments each.

    Args:
        parts: (T, S, P, 19) float32 as :mod:`raster` draws them.
        look: Kinds, colours and patterns of the P parts.
        depth: (T,) metres from the camera; far ones are drawn first.
        shadow: (T, P, 19) float32 parts on the floor, or None.
        joints: (T, 17, 3) float32 pixel x, y and the depth at which a joint counts as hidden; None for no joints.
    """

    parts: np.ndarray
    look: Look
    depth: np.ndarray
    shadow: np.ndarray | None = None
    joints: np.ndarray | None = None

    @property
    def boxes(self) -> np.ndarray:
        """(T, 4) xyxy around the whole figure at mid-shutter, including hidden parts; may extend beyond the image."""
        return self.group_boxes(self.parts.shape[2])[:, 0]

    @property
    def joint_pixels(self) -> np.ndarray:
        """(T, 17, 2) float32 of a figure with joints."""
        assert self.joints is not None
        return self.joints[..., :2].copy()

    def group_boxes(self, size: int) -> np.ndarray:
        """Return (T, P / size, 4) xyxy around every ``size`` parts: the people of a crowd drawn as one figure."""
        mid = self.parts[:, self.parts.shape[1] // 2]
        parts = mid.reshape(len(mid), -1, size, mid.shape[-1])
        low = [np.min(np.minimum(parts[..., i] - parts[..., 3], parts[..., i + 5] - parts[..., 8]), 2) for i in (0, 1)]
        high = [np.max(np.maximum(parts[..., i] + parts[..., 3], parts[..., i + 5] + parts[..., 8]), 2) for i in (0, 1)]
        return np.stack(low + high, axis=2).astype(np.float32)


def project_capsules(ends: np.ndarray, radii: np.ndarray, axes: np.ndarray | None, camera: CameraTrack) -> np.ndarray:
    """Project capsules in the world to (T, P, 19) float32 parts.

    Args:
        ends: (T, P, 2, 3) metres.
        radii: (P, 2) metres.
        axes: (T, P, 3, 3) forward, left, up in columns, or None for objects without a front.
        camera: T moments.
    """
    pixel = camera.project(ends)
    out = np.zeros(ends.shape[:2] + (raster.PART_SIZE,), np.float32)
    for e, at in ((0, 0), (1, 5)):
        out[..., at : at + 3] = pixel[:, :, e]
        out[..., at + 3] = radii[:, e] * camera.focal[:, None] / pixel[:, :, e, 2]
        out[..., at + 4] = radii[:, e]
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
    num_frames = len(parts) // sub_frames
    mid = np.arange(num_frames) * sub_frames + sub_frames // 2
    flat = ends[mid] - ends[mid][..., 2:] * (light / light[2])
    shadow = project_capsules(flat, radii * 0.9, None, camera[mid])
    pixels = None
    if joints:
        pixels = camera[mid].project(posture.nodes[mid][:, COCO_INDEX])
        pixels[..., 2] -= _JOINT_DEPTH * body.stature / 1.65
        pixels = pixels.astype(np.float32)
    depth = camera[mid].to_camera(posture.nodes[mid][:, 0])[:, 2]
    return Figure(parts.reshape((num_frames, sub_frames) + parts.shape[1:]), look, depth, shadow, pixels)


def make_thing(ends: np.ndarray, radii: np.ndarray, colors: np.ndarray, camera: CameraTrack, sub_frames: int) -> Figure:
    """Make an object (post, rail, heads of a crowd) of capsules, (P, 2, 3) at rest or (T * S, P, 2, 3) moving."""
    if ends.ndim == 3:
        ends = np.broadcast_to(ends, (len(camera),) + ends.shape)
    parts = project_capsules(ends, radii, None, camera)
    num = ends.shape[1]
    params = np.tile(np.array([-1, 2, 2, 0], np.float32), (num, 1))
    painted = np.broadcast_to(colors[:, None], (num, 5, 3)).astype(np.float32)
    look = Look(np.zeros(num, np.uint8), np.ascontiguousarray(painted), params, np.ones(num))
    shaped = parts.reshape((-1, sub_frames) + parts.shape[1:])
    return Figure(shaped, look, shaped[:, sub_frames // 2, :, 2].min(axis=1))


class SceneRenderer:
    """Render the frames of one shot.

    Args:
        venue: The hall.
        camera: T * S moments, S a frame.
        figures: People and objects; T frames each.
        rng: Of the noise.
        sub_frames: S.
        backdrop: Result of :func:`venue.panorama` for this venue and camera position; computed if absent.
    """

    def __init__(
        self,
        venue: Venue,
        camera: CameraTrack,
        figures: list[Figure],
        rng: np.random.Generator,
        sub_frames: int = SUB_FRAMES,
        backdrop: tuple[np.ndarray, CameraTrack] | None = None,
    ) -> None:
        self.venue, self.camera, self.figures = venue, camera, figures
        self.sub_frames = sub_frames
        self.rng = rng
        self.backdrop, self.backdrop_camera = backdrop or panorama(venue, camera.centre)
        wide, high = camera.size
        self._noise = (
            cv2.GaussianBlur(rng.standard_normal((high + 97, wide + 97, 3)).astype(np.float32), (3, 3), 0.6) * 1.6
        )
        self._from_backdrop = self._warps()
        self.scroll = rng.uniform(-60, 60)

    def __len__(self) -> int:
        return len(self.camera) // self.sub_frames

    def render(self, frame: int) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Render one frame.

        Returns:
            RGB uint8 (H, W, 3), and for every figure with joints its index -> (17,) uint8: 2 visible, 1 hidden by a
            body or object, 0 outside the image.
        """
        image = self._background(frame)
        wide, high = self.camera.size
        mid = frame * self.sub_frames + self.sub_frames // 2
        light = (self.camera.rotation[mid] @ self.venue.light).astype(np.float32)
        order = sorted(range(len(self.figures)), key=lambda k: -self.figures[k].depth[frame])
        for figure in self.figures:
            if figure.shadow is not None:
                raster.darken_figure(image, figure.shadow[frame], np.float32(0.38))
        visible: dict[int, np.ndarray] = {}
        covers: dict[int, np.ndarray] = {}
        no_joints = np.zeros((0, 3), np.float32)
        cover = np.zeros((high, wide), np.float32)
        for k in order:
            figure = self.figures[k]
            joints = no_joints if figure.joints is None else figure.joints[frame]
            hidden = np.zeros(len(joints), np.uint8)
            own = np.zeros_like(cover) if covers else cover
            look = figure.look
            raster.draw_figure(
                image, figure.parts[frame], look.kinds, look.colors, look.params, light,
                np.float32(self.venue.ambient), joints, hidden, own, bool(covers),
            )  # fmt: skip
            for front in covers.values():
                np.maximum(front, own, out=front)
            if figure.joints is not None:
                covers[k] = np.zeros_like(cover)
                visible[k] = np.where(hidden, HIDDEN, VISIBLE).astype(np.uint8)
        for k, front in covers.items():
            at = np.floor(self.figures[k].joint_pixels[frame]).astype(int)
            inside = (at >= 0).all(axis=1) & (at[:, 0] < wide) & (at[:, 1] < high)
            x, y = at.clip(0, (wide - 1, high - 1)).T
            visible[k][front[y, x] > 0.5] = HIDDEN
            visible[k][~inside] = OUTSIDE
        out = np.empty((high, wide, 3), np.uint8)
        row, column = self.rng.integers(0, 97, 2)
        gain = self.venue.gain.astype(np.float32)
        raster.develop(image, self._noise, row, column, np.float32(self.venue.noise), gain, out)
        return out, visible

    def _warps(self) -> np.ndarray:
        reference = self.backdrop_camera
        back = self.backdrop_camera.rotation[0].T @ np.linalg.inv(reference.intrinsics[0])
        return self.camera.intrinsics @ self.camera.rotation @ back

    def _background(self, frame: int) -> np.ndarray:
        first = frame * self.sub_frames
        warps = self._from_backdrop[first : first + self.sub_frames]
        # One moment per half pixel of image motion, at most all of them.
        centre = np.linalg.inv(warps[0]) @ np.array([self.camera.size[0] / 2, self.camera.size[1] / 2, 1.0])
        moved = warps[-1] @ centre
        shift = np.hypot(*(moved[:2] / moved[2] - np.array(self.camera.size) / 2))
        num = int(np.clip(np.ceil(2 * shift), 1, self.sub_frames))
        picks = (
            np.unique(np.linspace(0, self.sub_frames - 1, num).round().astype(int))
            if num > 1
            else [self.sub_frames // 2]
        )
        total = np.zeros((self.camera.size[1], self.camera.size[0], 3), np.float32)
        for k in picks:
            view = cv2.warpPerspective(
                self.backdrop, warps[k], self.camera.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            board = board_warp(self.venue, self.camera[first + k : first + k + 1], self.scroll * frame / self.venue.fps)
            if board is not None:
                cv2.warpPerspective(board[1], board[0], self.camera.size, view, borderMode=cv2.BORDER_TRANSPARENT)
            cv2.accumulate(view, total)
        return total / len(picks)
