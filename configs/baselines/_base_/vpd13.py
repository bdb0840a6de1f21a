"""The 13 joints of VPD as a graph of mmaction2: nose, shoulders, elbows, wrists, hips, knees, ankles; left first."""

layout = dict(
    num_node=13,
    inward=[(1, 0), (2, 0), (3, 1), (4, 2), (5, 3), (6, 4), (7, 1), (8, 2), (9, 7), (10, 8), (11, 9), (12, 10)],
    center=0,
)
