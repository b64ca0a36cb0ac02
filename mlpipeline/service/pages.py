"""Curves as a page for a browser. The one place that knows plotly, which is an extra."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from mlpipeline.core.curves import Point, thinned
from mlpipeline.errors import MlpipelineError
from mlpipeline.service.learning import LearningCurves
from mlpipeline.state.files import storage, write_whole

MOST_POINTS = 5_000  # of a curve: more can't be told apart, and make the page slow
MISSING = (
    "--html needs plotly, which is not installed here; install it with "
    "pip install 'mlpipeline[html]'"
)


def write_page(path: Path, found: LearningCurves) -> None:
    """A page at ``path`` that needs nothing else, not even a network.

    Raises MlpipelineError where plotly is not installed, StorageError where it can't be written.
    """
    objects = _plotly()
    figure = objects.Figure(
        data=[
            _trace(objects, curve.run, thinned(curve.points(), MOST_POINTS))
            for curve in found.curves
        ],
        layout={
            "title": {"text": escape(found.metric)},
            "xaxis": {"title": {"text": "step"}},
            "yaxis": {"title": {"text": escape(found.metric)}},
            "showlegend": True,
            "hovermode": "x unified",
        },
    )
    html = figure.to_html(include_plotlyjs=True, full_html=True)
    page = html.replace("<head>", f"<head><title>{escape(found.metric)}</title>", 1)
    with storage(f"{path} can't be written"):
        write_whole(path, page.encode())


def _plotly() -> Any:
    try:
        from plotly import graph_objects  # an extra
    except ImportError as error:
        raise MlpipelineError(MISSING) from error
    return graph_objects


def _trace(objects: Any, name: str, points: Sequence[Point]) -> Any:
    return objects.Scatter(
        x=[step for step, _ in points],
        y=[value for _, value in points],
        mode="lines" if len(points) > 1 else "markers",  # a single point makes no line
        name=escape(name),  # plotly takes it for HTML
    )
