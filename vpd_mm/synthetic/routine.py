"""The sport: skills, and routines that combine them."""

from dataclasses import dataclass, replace

import numpy as np

from .motions import Motion, MotionBuilder
from .moves import CROUCH, LANDING, REACH, dip, heading, jump, land, roll, run, stand, turn_to, walk
from .skeleton import Body, mirror_angles, pose

#: Labelled time before the feet leave the floor and after the touch-down.
MARGIN_SEC = 0.04
#: Upper limit of the share of labelled frames in a routine.
MAX_SHARE = 0.315
#: Range of the length of a routine.
DURATION_SEC = (10.0, 20.0)


@dataclass(frozen=True)
class Skill:
    """One class of the sport."""

    takeoff: str  # 'forward' or 'backward'
    position: str  # 'tuck', 'pike' or 'straight'
    half_somersaults: int  # an even number lands on the feet, an odd one on the hands and rolls out
    half_twists: int  # turns about the long axis

    @property
    def name(self) -> str:
        """Class name such as ``forward_straight_s2_t1``: 2 half somersaults, 1 half twist."""
        return f'{self.takeoff}_{self.position}_s{self.half_somersaults}_t{self.half_twists}'


SKILLS = (
    Skill('forward', 'tuck', 2, 0), Skill('forward', 'pike', 2, 0), Skill('forward', 'straight', 2, 0),
    Skill('forward', 'straight', 2, 1), Skill('forward', 'straight', 2, 2), Skill('forward', 'straight', 2, 3),
    Skill('forward', 'tuck', 3, 0), Skill('forward', 'pike', 3, 0), Skill('forward', 'tuck', 4, 0),
    Skill('backward', 'tuck', 2, 0), Skill('backward', 'pike', 2, 0), Skill('backward', 'straight', 2, 0),
    Skill('backward', 'straight', 2, 1), Skill('backward', 'straight', 2, 2), Skill('backward', 'straight', 2, 4),
    Skill('backward', 'tuck', 3, 1), Skill('backward', 'tuck', 4, 0), Skill('backward', 'pike', 4, 0),
)  # fmt: skip
CLASSES = tuple(skill.name for skill in SKILLS)


@dataclass(frozen=True)
class Habits:
    """Style of one athlete, which does not change the class of a skill."""

    handed: int = 1  # +1 twists left, -1 right
    tightness: float = 1.0  # of tuck and pike; 1 is ideal
    legs_apart: float = 4.0  # degrees of spread in tuck and pike
    knee_bend: float = 6.0  # degrees of knee flexion where knees should be straight
    speed: float = 3.8  # m/s, running

    @classmethod
    def random(cls, rng: np.random.Generator) -> 'Habits':
        handed = 1 if rng.random() < 0.6 else -1
        return cls(handed, rng.uniform(0.84, 1.04), rng.uniform(1, 14), rng.uniform(2, 18), rng.uniform(3.2, 4.4))


@dataclass(frozen=True)
class Performed:
    """A skill in a routine: labelled seconds, the flight within them, and the side of the twist."""

    skill: Skill
    start_sec: float
    end_sec: float
    takeoff_sec: float
    landing_sec: float
    handed: int


def _shape(skill: Skill, habits: Habits, rng: np.random.Generator) -> np.ndarray:
    tight, apart = habits.tightness * rng.uniform(0.96, 1.03), habits.legs_apart * rng.uniform(0.5, 1.3)
    soft = habits.knee_bend * rng.uniform(0.3, 1.2)
    if skill.position == 'tuck':
        return pose(hip=128 * tight, knee=132 * tight, spine_flex=38 * tight, neck_flex=20, shoulder=58, abduct=10,
                    elbow=42, arm_rot=10, spread=apart, ankle=35)  # fmt: skip
    if skill.position == 'pike':
        return pose(hip=122 * tight, knee=soft, spine_flex=42 * tight, neck_flex=15, shoulder=78, abduct=12,
                    elbow=12, spread=apart * 0.6, ankle=48)  # fmt: skip
    return pose(hip=-5, knee=soft * 0.5, spine_flex=-8, neck_flex=4, shoulder=18, abduct=14, elbow=20, ankle=50,
                arm_rot=20)  # fmt: skip


def _sign(skill: Skill) -> float:
    return 1.0 if skill.takeoff == 'forward' else -1.0


def _wrap(shape: np.ndarray) -> np.ndarray:
    """Wrap the arms round the chest for a twist to the left: right arm across, left one bent behind it."""
    return pose(shape, r_shoulder=62, r_abduct=2, r_elbow=118, r_arm_rot=72, l_shoulder=18, l_abduct=16, l_elbow=128,
                l_arm_rot=64)  # fmt: skip


def perform(builder: MotionBuilder, skill: Skill, habits: Habits, rng: np.random.Generator, flight_sec: float) -> tuple:
    """Perform a skill from take-off to touch-down; return (take-off, landing) in seconds.

    The body must face along its travel for a forward take-off, against it for a backward one.
    """
    sign, handed = _sign(skill), habits.handed
    travel = builder.velocity * rng.uniform(0.5, 0.7) + sign * heading(builder.yaw) * rng.uniform(0.2, 0.6)
    duration, depth, lean = rng.uniform(0.22, 0.30), rng.uniform(0.42, 0.7), np.deg2rad(rng.uniform(4, 9))
    dip(builder, duration, travel, depth, sign * lean)
    takeoff = builder.now_sec
    shape = _shape(skill, habits, rng)
    hands_first = skill.half_somersaults % 2 == 1
    early, late = rng.uniform(0.2, 0.27), rng.uniform(0.72, 0.80)
    if skill.half_somersaults >= 3:
        early, late = early - 0.05, late + (0.05 if skill.half_somersaults == 4 else 0.0)
    catch = pose(REACH, hip=62, knee=48, spine_flex=30, shoulder=150, neck_flex=18, ankle=35)
    arrive = catch if hands_first else LANDING
    keys = [(early, shape), ((early + late) / 2, shape), (late, shape), (1.0, arrive)]
    if skill.half_twists:
        wrapped = _wrap(shape) if handed > 0 else mirror_angles(_wrap(mirror_angles(shape)))
        keys = [(early * 0.5, pose(REACH, shoulder=140, abduct=30)), (early + 0.04, wrapped), (late - 0.02, wrapped)]
        if not hands_first:  # arms out to stop the twist; hands that must catch the body reach at once
            keys.append((late + 0.09, pose(shape, abduct=62, shoulder=25)))
        keys.append((1.0, arrive))
    short = np.deg2rad(rng.uniform(24, 32) if hands_first else rng.uniform(4, 10))
    turns = max(skill.half_twists, 1)
    builder.flight(
        flight_sec,
        keys,
        travel,
        pitch_end=sign * (skill.half_somersaults * np.pi - short),
        twist=handed * skill.half_twists * np.pi,
        twist_span=(max(0.02, 0.16 - 0.035 * turns), min(0.96, 0.72 + 0.06 * turns)),
        tilt=handed * np.deg2rad(min(4 + 3 * skill.half_twists, 13)) * (skill.half_twists > 0),
    )
    return takeoff, builder.now_sec


def flight_time(skill: Skill, rng: np.random.Generator) -> float:
    """Return the seconds in the air, 0.8 to 1.2: more rotation needs more height."""
    need = {2: 0.82, 3: 0.98, 4: 1.08}[skill.half_somersaults] + (0.06 if skill.position == 'straight' else 0.0)
    return float(min(need + 0.02 * skill.half_twists + rng.uniform(0, 0.09), 1.2))


def perform_routine(
    skills: list[Skill], body: Body, habits: Habits, rng: np.random.Generator
) -> tuple[Motion, list[Performed]]:
    """Perform a routine of 10 to 20 s with ``skills`` (3 to 6) in this order."""
    habits = replace(habits, handed=habits.handed if rng.random() < 0.85 else -habits.handed)
    while True:
        motion, performed = _attempt(skills, body, habits, rng)
        if motion.duration_sec <= DURATION_SEC[1]:
            return motion, performed


def _attempt(skills: list[Skill], body: Body, habits: Habits, rng: np.random.Generator):
    times = np.array([flight_time(skill, rng) for skill in skills])
    margins = 2 * MARGIN_SEC * len(skills)
    times *= min(1.0, (MAX_SHARE * (DURATION_SEC[1] - 0.3) - margins) / times.sum())
    needed = max((times.sum() + margins) / MAX_SHARE, DURATION_SEC[0]) + 0.1
    builder = MotionBuilder(body, rng.uniform((-4, -0.4), (4, 0.4)), rng.choice([0.0, np.pi]), pose())
    (stand if rng.random() < 0.5 else walk)(builder, rng, rng.uniform(0.6, 1.2))
    performed: list[Performed] = []
    while len(performed) < len(skills):
        left = len(skills) - len(performed)
        per_skill = (DURATION_SEC[1] - builder.now_sec) / left
        linked = min(left, 3 if per_skill < 3.2 else 2 if per_skill < 4.6 or rng.random() < 0.35 else 1)
        _run_up(builder, skills[len(performed)], habits, rng)
        for k in range(linked):
            skill = skills[len(performed)]
            if k:
                _rebound(builder, skill, rng)
            takeoff, landing = perform(builder, skill, habits, rng, times[len(performed)])
            around = takeoff - MARGIN_SEC, landing + MARGIN_SEC
            performed.append(Performed(skill, *around, takeoff, landing, habits.handed))
            if skill.half_somersaults % 2:
                roll(builder, rng, rng.uniform(0.5, 0.65))
        land(builder, rng, rng.uniform(0.45, 0.7))
        left = len(skills) - len(performed)
        if left == 0 or (DURATION_SEC[1] - builder.now_sec) / left > 4.4:
            _between(builder, habits, rng)
    while (missing := needed - builder.now_sec) > 0:
        (stand if rng.random() < 0.4 else walk)(builder, rng, min(max(missing, 0.6), rng.uniform(0.8, 1.8)))
    return builder.finish(), performed


def _run_up(builder: MotionBuilder, skill: Skill, habits: Habits, rng: np.random.Generator) -> None:
    # Towards the farther end of the track, so that the pass fits.
    outward = 0.0 if builder.xy[0] < rng.uniform(-1, 1) else np.pi
    back_to_middle = np.clip(builder.xy[1] * 0.08, -0.15, 0.15) * (1 if outward else -1)
    turn_to(builder, rng, outward + back_to_middle)
    run(builder, rng, rng.uniform(0.75, 1.1), habits.speed * rng.uniform(0.9, 1.05))
    speed = builder.velocity * 0.75
    if skill.takeoff == 'forward':
        swing = pose(CROUCH, hip=38, knee=45, shoulder=55, ankle=10, spine_flex=10)
        hop = pose(l_hip=75, l_knee=80, r_hip=25, r_knee=65, shoulder=75, abduct=15, elbow=30, ankle=30)
        builder.flight(0.30, [(0.5, hop if rng.random() < 0.5 else mirror_angles(hop)), (1.0, swing)], speed)
    else:  # hop and land facing backward
        hop = pose(hip=38, knee=65, ankle=25, shoulder=95, abduct=12, elbow=25)
        keys = [(0.45, hop), (1.0, pose(CROUCH, hip=48, knee=48, ankle=0, shoulder=60))]
        builder.flight(0.38, keys, speed, twist=habits.handed * np.pi, twist_span=(0.0, 1.0))


def _rebound(builder: MotionBuilder, skill: Skill, rng: np.random.Generator) -> None:
    """Link the next skill: bend and travel in the direction of its take-off."""
    speed = rng.uniform(0.6, 1.3) * (heading(builder.yaw) * _sign(skill))
    builder.ground(rng.uniform(0.24, 0.34), pose(CROUCH, hip=70, knee=74, shoulder=5, spine_flex=20), speed)


def _between(builder: MotionBuilder, habits: Habits, rng: np.random.Generator) -> None:
    kind = rng.random()
    if kind < 0.35:
        stand(builder, rng, rng.uniform(0.6, 1.3))
    elif kind < 0.65:
        walk(builder, rng, rng.uniform(0.8, 1.5), rng.normal(0, 0.5))
    elif kind < 0.92:
        jump(builder, rng, rng.choice(['straight', 'star', 'tuck', 'turn']), habits.handed)
