"""`flexunet serve`: a trained run behind HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console
from flexunet.cli.options import ConfigPath, Engine, Overrides, Strict


def serve(
    config_path: ConfigPath,
    overrides: Overrides = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; addresses other than loopback need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 chooses a free one.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="File with the bearer token. Default: $FLEXUNET_TOKEN."),
    ] = None,
    engine: Engine = None,
    tiled: Annotated[
        bool, typer.Option("--tiled", help="Predict tile by tile, at the resolution of the image.")
    ] = False,
    batch: Annotated[
        int, typer.Option("--batch", min=1, max=64, help="Maximum number of images per batch.")
    ] = 4,
    waiting: Annotated[
        int,
        typer.Option(
            "--waiting", min=1, help="Maximum number of waiting images; further requests get status 503."
        ),
    ] = 32,
    megabytes: Annotated[
        int, typer.Option("--max-megabytes", min=1, help="Maximum size of an uploaded file, in megabytes.")
    ] = 64,
    megapixels: Annotated[
        int, typer.Option("--max-megapixels", min=1, help="Maximum size of an image, in megapixels.")
    ] = 50,
    strict: Strict = False,
) -> None:
    """Serve a trained run over HTTP: masks, lesions, overlays or DICOM SEG of uploaded images."""
    from flexunet.cli.configuration import open_config
    from flexunet.cli.exporting import export_if_missing
    from flexunet.cli.fitting import fit_if_missing
    from flexunet.serve.server import Service
    from flexunet.serve.server import serve as run

    service = Service(
        host=host,
        port=port,
        token_file=token_file,
        tiled=tiled,
        most_bytes=megabytes << 20,
        most_pixels=megapixels * 1_000_000,
        batch=batch,
        waiting=waiting,
    )
    settings = [*(overrides or ()), *([f"infer.engine={engine!r}"] if engine else ())]
    config = open_config(config_path, settings, strict)
    export_if_missing(config)
    fit_if_missing(config)
    run(config, service, lambda address: console.print(f"serving {config_path} at {address}", soft_wrap=True))
