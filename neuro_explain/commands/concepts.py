"""`neuro-explain concepts`: look into concept sets, and hand them on."""

from __future__ import annotations

from pathlib import Path

import click

from neuro_explain.commands.options import echo_lines, print_json


@click.group()
def concepts() -> None:
    """Sets of images with concept labels."""


@concepts.command("show")
@click.argument("specs", nargs=-1, required=True)
@click.option("--label", help="Show the images that have this label, most pixels first.")
@click.option("--category", help="Only this category.")
@click.option("--limit", default=10, help="At most so many images.")
@click.option("--size", default=112, help="Side in pixels at which labels are counted.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def concepts_show(
    specs: tuple[str, ...], label: str | None, category: str | None, limit: int, size: int, as_json: bool
) -> None:
    """Show what a concept set holds, which images have a label, and what is broken."""
    from neuro_explain.concept_view import show_concepts

    lines, data = show_concepts(specs, label=label, category=category, limit=limit, size=size)
    if as_json:
        print_json(data)
    else:
        echo_lines(lines)


@concepts.command("table")
@click.argument("specs", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New CSV file.")
def concepts_table(specs: tuple[str, ...], out: Path) -> None:
    """Write the synonyms and broader concepts that sets carry themselves, to edit and give to `dissect --merge`."""
    from dissection.readers.merged import write_table
    from neuro_explain.names import open_concepts

    click.echo(write_table(open_concepts(list(specs)), out))


@concepts.command("export")
@click.argument("specs", nargs=-1, required=True)
@click.option(
    "--as", "layout", required=True, type=click.Choice(["broden", "coco"]), help="The layout to write."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the set.")
@click.option(
    "--size",
    type=click.IntRange(1, 4096),
    help="Side in pixels of Broden's label maps; if not given, each image's own, or 112 if it is not square.",
)
def concepts_export(specs: tuple[str, ...], layout: str, out: Path, size: int | None) -> None:
    """Write a concept set as a folder that others read: Broden takes any set, COCO panoptic needs segments."""
    from dissection.writers import check_new
    from neuro_explain.concept_export import export_concepts
    from neuro_explain.names import open_concepts

    if layout == "coco" and size is not None:
        raise click.UsageError("--size is for --as broden; panoptic labels have the size of their images")
    check_new(out)  # before the set is read
    written = export_concepts(open_concepts(list(specs)), out, layout=layout, size=size)  # type: ignore[arg-type]  # click checked the choice
    click.echo(
        f"{written.images} images, {written.concepts} concepts in {written.categories} categories; "
        f"--concepts {layout}:{out} opens them"
    )
    click.echo(out)


@concepts.command("build")
@click.argument("specs", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the set.")
@click.option(
    "--size",
    default=112,
    type=click.IntRange(1, 4096),
    help="Side in pixels of the label maps of all images.",
)
@click.option(
    "--image-size",
    default=224,
    type=click.IntRange(1, 4096),
    help="Side in pixels of all images: squashed whole, not cropped, so that labels stay aligned.",
)
@click.option("--keep-images", is_flag=True, help="Keep each image's own size instead of --image-size.")
@click.option(
    "--val",
    "val_share",
    default=0.3,
    type=click.FloatRange(0, 1),
    help="Share of images in split 'val', by the SHA-256 of their pixels: the same on every machine.",
)
@click.option(
    "--colors/--no-colors", default=True, help="Label each pixel with one of eleven colour names too."
)
def concepts_build(
    specs: tuple[str, ...],
    out: Path,
    size: int,
    image_size: int,
    keep_images: bool,
    val_share: float,
    colors: bool,
) -> None:
    """Join concept sets into one folder like Broden, to dissect networks with.

    All images and all labels get one size, as in broden1_224, every image gets colours, and the images are split
    into train and val. Synonyms that the sets name are kept. `concepts export --as broden` writes the same layout
    but hands a set on as it is: images at their own size, no colours unless named, all of them train.
    """
    from neuro_explain.concept_export import build_concepts, build_lines

    written = build_concepts(
        specs,
        out,
        size=size,
        image_size=None if keep_images else image_size,
        val_share=val_share,
        colors=colors,
    )
    echo_lines(build_lines(written))
    click.echo(out)
