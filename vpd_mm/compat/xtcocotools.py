"""Replacement of xtcocotools, which mmpose uses for COCO files and whose wheel is built for NumPy 1.

Installed for NumPy 1: the compiled masks of pycocotools, of which it is a fork, serve as ``xtcocotools._mask``.
Not installed: pycocotools reads the files and xthotcoco evaluates, with the same results.
"""

import importlib.metadata
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType

from .bridge import package_dir

#: Module with the C API in code compiled against NumPy 2; the headers of NumPy 1 do not contain the name.
NUMPY_2_MARK = b'numpy._core._multiarray_umath'


def broken() -> str:
    """Return why the masks of pycocotools are needed."""
    root = package_dir('xtcocotools')
    numpy_version = importlib.metadata.version('numpy')
    if root is None or int(numpy_version.split('.')[0]) < 2:
        return ''
    for suffix in EXTENSION_SUFFIXES:
        binary = root / f'_mask{suffix}'
        if binary.is_file() and NUMPY_2_MARK not in binary.read_bytes():
            return f'the installed xtcocotools is built for NumPy 1, here is NumPy {numpy_version}'
    return ''


def fill_coco(module: ModuleType) -> None:
    from pycocotools.coco import COCO as PlainCOCO

    class COCO(PlainCOCO):
        """Index of pycocotools with the fields that xtcocotools adds."""

        def __init__(self, annotation_file=None, test_index=None) -> None:
            super().__init__(annotation_file)
            self.anno_file = [annotation_file]
            self.test_index = test_index

    COCO.__module__ = module.__name__
    module.COCO = COCO  # type: ignore[attr-defined]


class _Params:
    """Parameters of hotcoco that also accept the old ``useSegm``, which mmpose sets to None."""

    useSegm = None

    def __init__(self, params) -> None:
        object.__setattr__(self, '_params', params)

    def __getattr__(self, name: str):
        return getattr(self._params, name)

    def __setattr__(self, name: str, value) -> None:
        if name != 'useSegm':
            setattr(self._params, name, value)


def fill_cocoeval(module: ModuleType) -> None:
    import xthotcoco

    class COCOeval(xthotcoco.COCOeval):
        """Evaluator of xthotcoco for COCO objects that have an index."""

        def __init__(self, cocoGt, cocoDt, iouType='keypoints', sigmas=None, use_area=True) -> None:
            ground_truth = xthotcoco.COCO(ann_data=cocoGt.dataset, test_index=getattr(cocoGt, 'test_index', None))
            super().__init__(ground_truth, list(cocoDt.dataset['annotations']), iouType, sigmas, use_area)

        @property
        def params(self) -> _Params:
            return _Params(self._ev.params)

    COCOeval.__module__ = module.__name__
    module.COCOeval = COCOeval  # type: ignore[attr-defined]
