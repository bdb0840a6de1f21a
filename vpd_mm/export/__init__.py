"""Export models to ONNX."""

from .onnx_export import Exported, export_model

__all__ = ['Exported', 'export_model']
