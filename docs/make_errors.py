"""Writes what the code of docs/errors/*.md prints and raises into the pages, and docs/errors/index.md, their list.

    python docs/make_errors.py

A page is written by hand but for its blocks `output`. A test holds that all of it is what this script writes.
"""

from __future__ import annotations

from pathlib import Path

from _ext.blocks import FENCE, run

DOCS = Path(__file__).parent
FOLDER = DOCS / "errors"
THEMES = {
    "Gradients": [
        "no_graph",
        "not_scalar",
        "graph_freed",
        "changed_in_place",
        "leaf_in_place",
        "unused_input",
        "numpy_of_gradient",
        "integer_gradient",
        "nan_in_backward",
    ],
    "Shapes": [
        "matmul_sizes",
        "broadcasting",
        "linear_features",
        "channels",
        "without_batch",
        "view_of_transpose",
        "reshape_size",
        "cat_shapes",
        "dimension_out_of_range",
        "one_sample",
        "kernel_too_large",
    ],
    "Values, types and indices": [
        "truth_of_a_tensor",
        "item_of_many",
        "none_for_a_tensor",
        "list_for_a_tensor",
        "dtype_of_a_model",
        "index_out_of_range",
        "float_index",
        "mask_shape",
        "another_device",
    ],
    "Losses and embeddings": [
        "float_classes",
        "column_of_classes",
        "class_too_large",
        "logits_for_probabilities",
        "embedding_index",
    ],
    "Modules and optimisers": [
        "super_forgotten",
        "class_for_a_layer",
        "forward_forgotten",
        "names_in_a_state",
        "shapes_in_a_state",
        "empty_parameters",
        "not_a_program",
    ],
}
HEAD = """# Errors explained

What an error says, why, and how to mend it: the errors that programs meet most often. The first line of a message says
what was expected and what was got, under the name that the program called; what comes after it says what to do next.
The messages are made by running the code on each page, so they read as the library's do.
"""


def pages() -> list[Path]:
    """The pages, as the list has them."""
    return [FOLDER / f"{name}.md" for names in THEMES.values() for name in names]


def written(page: Path) -> str:
    """A page with what its code really shows in its blocks `output`."""
    text = page.read_text()
    shown = iter([each.shown for each in run(text) if each.block.output is not None])
    return FENCE.sub(
        lambda match: f"{match[1]}```output\n{next(shown)}{match[1]}```" if match[2] == "output" else match[0], text
    )


def index() -> str:
    """The list: a table for each theme, with the first line of the message."""
    lines = [HEAD]
    for theme, names in THEMES.items():
        lines += [f"## {theme}", "", "| the message begins | page |", "|---|---|"]
        for name in names:
            text = (FOLDER / f"{name}.md").read_text()
            title = text.split("\n")[0].removeprefix("# ")
            message = next(match[3] for match in FENCE.finditer(text) if match[2] == "output" and ": " in match[3])
            raised = next(line for line in message.split("\n") if ": " in line)  # behind what the code printed
            first = raised.partition(": ")[2].partition("; ")[0].replace("|", "\\|")
            lines.append(f"| `` {first} `` | [{title}]({name}.md) |")
        lines.append("")
    names = [name for names in THEMES.values() for name in names]
    return "\n".join([*lines, "```{toctree}", ":hidden:", "", *names, "```", ""])


if __name__ == "__main__":
    for page in pages():
        page.write_text(written(page))
    (FOLDER / "index.md").write_text(index())
