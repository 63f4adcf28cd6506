"""`flexunet dicom echo|send|listen|fetch`: exchange with archives and viewers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flexunet.cli.console import console, print_failures, print_json, print_notes, progress
from flexunet.cli.options import AsJson, ConfigPath, Engine, Overrides, Strict
from flexunet.errors import counted

if TYPE_CHECKING:
    from flexunet.clinic.peers import Patience, Peer
    from flexunet.clinic.send import Sent

dicom = typer.Typer(
    help="Send and receive DICOM objects, by the DICOM network protocol and DICOMweb.", no_args_is_help=True
)

Title = Annotated[str, typer.Option("--title", help="AE title of this system.")]
Seconds = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Seconds to wait for a connection and for each answer.")
]
Retries = Annotated[
    int, typer.Option("--retries", min=0, max=20, help="Number of further attempts to reach a peer.")
]
PeerText = Annotated[str, typer.Argument(metavar="PEER", help="Other system, as TITLE@HOST:PORT.")]
OWN_TITLE = "FLEXUNET"


@dicom.command()
def echo(peer: PeerText, title: Title = OWN_TITLE, timeout: Seconds = 30.0, retries: Retries = 0) -> None:
    """Ask a peer whether it is there (C-ECHO)."""
    from flexunet.clinic.associations import echo as ask
    from flexunet.clinic.peers import check_title, parse_peer

    ask(parse_peer(peer), title=check_title(title), patience=_patience(timeout, retries))
    console.print(f"{peer} answers", highlight=False, soft_wrap=True)


@dicom.command()
def send(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="DICOM files, or folders of them.")
    ],
    to: Annotated[
        str | None, typer.Option("--to", metavar="PEER", help="Other system, as TITLE@HOST:PORT.")
    ] = None,
    web: Annotated[
        str | None, typer.Option("--web", metavar="URL", help="DICOMweb service, instead of --to.")
    ] = None,
    commit: Annotated[
        bool,
        typer.Option("--commit", help="Ask the peer to answer for the objects (Storage Commitment)."),
    ] = False,
    commit_port: Annotated[
        int | None,
        typer.Option("--commit-port", help="Port for the answer of a peer that calls back, such as Orthanc."),
    ] = None,
    title: Title = OWN_TITLE,
    timeout: Seconds = 30.0,
    retries: Retries = 3,
    as_json: AsJson = False,
) -> None:
    """Send DICOM files to a peer (C-STORE) or a DICOMweb service (STOW-RS); exit 2 if one is not stored."""
    from flexunet.clinic.peers import check_title, parse_peer
    from flexunet.clinic.send import find_files, send_files
    from flexunet.clinic.web import send_to_web
    from flexunet.errors import ConfigError

    if (to is None) == (web is None):
        raise ConfigError("give one destination: --to TITLE@HOST:PORT, or --web URL.")
    if web is not None and (commit or commit_port is not None):
        raise ConfigError("--commit is of the DICOM network protocol: give --to instead of --web.")
    files, patience = find_files(inputs), _patience(timeout, retries)
    with progress() as shown:
        if web is not None:
            sent = send_to_web(web, files, patience=patience, progress=shown)
        else:
            sent = send_files(
                parse_peer(to or ""),
                files,
                title=check_title(title),
                patience=patience,
                commit=commit or commit_port is not None,
                commit_port=commit_port,
                progress=shown,
            )
    _tell(sent, to or web or "", as_json)


@dicom.command()
def fetch(
    url: Annotated[str, typer.Argument(metavar="URL", help="DICOMweb service.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the objects, one folder per study.")],
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="KEYWORD=VALUE",
            help="Attribute of the objects to fetch, such as PatientID=P1 or Modality=MG; repeatable.",
        ),
    ] = None,
    timeout: Seconds = 30.0,
    retries: Retries = 3,
    as_json: AsJson = False,
) -> None:
    """Fetch objects of a DICOMweb service (QIDO-RS, WADO-RS)."""
    from flexunet.clinic.web import fetch_from_web
    from flexunet.errors import ConfigError

    wanted = [text.partition("=")[::2] for text in filters or ()]
    if not wanted or not all(keyword and value for keyword, value in wanted):
        raise ConfigError("give --where KEYWORD=VALUE at least once, such as --where StudyInstanceUID=1.2.3.")
    with progress() as shown:
        paths = fetch_from_web(
            url, out, filters=dict(wanted), patience=_patience(timeout, retries), progress=shown
        )
    if as_json:
        print_json({"out": str(out), "files": [str(path) for path in paths]})
    else:
        console.print(f"{counted(len(paths), 'object')} in {out}", highlight=False, soft_wrap=True)


@dicom.command()
def listen(
    config_path: ConfigPath,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for what is accepted and what is predicted.")
    ],
    overrides: Overrides = None,
    title: Title = OWN_TITLE,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; others than loopback need --allow.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0 chooses a free one.")
    ] = 11112,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow", metavar="TITLE", help="AE title that may call, or TITLE@HOST:PORT; repeatable."
        ),
    ] = None,
    forward: Annotated[
        str | None, typer.Option("--forward", metavar="PEER", help="System that gets the results.")
    ] = None,
    report: Annotated[bool, typer.Option("--sr", help="Write a structured report of the lesions.")] = False,
    engine: Engine = None,
    tiled: Annotated[
        bool, typer.Option("--tiled", help="Predict tile by tile, at the resolution of the image.")
    ] = False,
    timeout: Seconds = 30.0,
    retries: Retries = 3,
    strict: Strict = False,
) -> None:
    """Take images from DICOM systems, predict them, write the results and send them on."""
    from flexunet.clinic.listen import Listener
    from flexunet.clinic.peers import parse_peer
    from flexunet.clinic.run import run

    listener = Listener(title, host, port, tuple(allow or ()), _patience(timeout, retries))
    settings = list(overrides or ())
    settings += [f"infer.engine={engine!r}"] if engine else []
    settings += ["dicom.report='measurements'", "infer.dicom_seg=true"] if report else []

    from flexunet.cli.configuration import open_config
    from flexunet.cli.exporting import export_if_missing
    from flexunet.cli.fitting import fit_if_missing

    to: Peer | None = parse_peer(forward) if forward else None
    config = open_config(config_path, settings, strict)
    export_if_missing(config)
    fit_if_missing(config)
    run(
        config,
        out,
        listener,
        forward=to,
        tiled=tiled,
        announce=lambda address: console.print(f"listening as {address}", highlight=False, soft_wrap=True),
    )


def _patience(seconds: float, retries: int) -> Patience:
    from flexunet.clinic.peers import Patience

    return Patience(seconds, retries)


def _tell(sent: Sent, to: str, as_json: bool) -> None:
    commitment = sent.commitment
    if as_json:
        document = {
            "to": to,
            "files": [str(path) for path in sent.files],
            "notes": sent.notes,
            "failures": {str(path): reason for path, reason in sent.failures.items()},
        }
        if commitment is not None:
            document |= {"committed": sorted(commitment.kept), "not_committed": commitment.missing}
        print_json(document)
    else:
        console.print(f"{counted(len(sent.files), 'object')} stored by {to}", highlight=False, soft_wrap=True)
        if commitment is not None:
            console.print(f"{to} answers for {len(commitment.kept)} of them", highlight=False, soft_wrap=True)
    print_notes(sent.notes)
    if commitment is not None:
        print_notes(f"{to} does not answer for {uid}: {why}" for uid, why in commitment.missing.items())
    print_failures(sent.failures)
    if commitment is not None and commitment.missing:
        raise typer.Exit(2)
