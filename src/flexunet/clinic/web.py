"""DICOM files to and from a DICOMweb server: STOW-RS, QIDO-RS and WADO-RS (PS3.18), by dicomweb-client."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flexunet.clinic.inbox import is_uid
from flexunet.clinic.peers import Patience
from flexunet.clinic.send import Sent, describe_file
from flexunet.data.dicom.read import read_dataset
from flexunet.errors import ConfigError, FlexUNetError, PeerError
from flexunet.extras import import_extra
from flexunet.files import replacing
from flexunet.progress import Progress, silent

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

TOKEN_VARIABLE = "FLEXUNET_DICOMWEB_TOKEN"  # noqa: S105 - the name of the variable


def send_to_web(
    address: str,
    paths: Sequence[Path],
    *,
    patience: Patience = Patience(),
    progress: Progress = silent,
) -> Sent:
    """Store files on a server (STOW-RS), one request a file; a file that is not stored is named.

    Args:
        address: Root of the service, such as `http://127.0.0.1:8042/dicom-web`.
        paths: DICOM files.
        patience: Time-out and attempts.
        progress: Told how many files are done.

    Raises:
        ConfigError: if the address is none.
        PeerError: if the server cannot be reached.
        EngineError: if dicomweb-client is not installed.
    """
    sent = Sent()
    with _service(address, patience) as client:
        for number, path in enumerate(paths, start=1):
            if failure := _store(client, address, path):
                sent.failures[path] = failure
            else:
                sent.files.append(path)
            progress("files", number, len(paths))
    return sent


def _store(client: DICOMwebClient, address: str, path: Path) -> str:
    """Store a file; why the server has not stored it, "" if it has."""
    try:
        each = describe_file(path)
        with _reaching(address):
            answer = client.store_instances([read_dataset(path)])
    except PeerError as error:
        if not _was_answered(error.__cause__):
            raise
        return str(error)
    except FlexUNetError as error:
        return str(error)
    for item in answer.get("FailedSOPSequence") or ():
        if str(item.get("ReferencedSOPInstanceUID")) == each.instance:
            return f"the server did not store it: reason 0x{int(item.get('FailureReason') or 0):04X}."
    return ""


def fetch_from_web(
    address: str,
    out: Path,
    *,
    filters: dict[str, str],
    patience: Patience = Patience(),
    progress: Progress = silent,
) -> list[Path]:
    """Fetch objects of a server: found by QIDO-RS, retrieved by WADO-RS, into `out/STUDY/OBJECT.dcm`.

    Args:
        address: Root of the service.
        out: Folder to write.
        filters: Attributes of the objects by keyword, such as `{"PatientID": "P1", "Modality": "MG"}`.
        patience: Time-out and attempts.
        progress: Told how many objects are done.

    Returns:
        The files; those that were there already are not fetched again.

    Raises:
        ConfigError: if the address is none.
        PeerError: if the server cannot be reached, or refuses.
        PathError: if a file cannot be written.
    """
    paths = []
    with _service(address, patience) as client:
        with _reaching(address):
            found = client.search_for_instances(search_filters=filters, get_remaining=True)
        for number, item in enumerate(found, start=1):
            paths.append(_retrieve(client, address, item, out))
            progress("objects", number, len(found))
    return paths


def _retrieve(client: DICOMwebClient, address: str, item: dict[str, Any], out: Path) -> Path:
    """The file of an object that a search has found, fetched unless it is there."""
    study, series, instance = (_value(item, tag) for tag in ("0020000D", "0020000E", "00080018"))
    if not all(map(is_uid, (study, series, instance))):
        raise PeerError(f"{address} names an object by no UID: {study!r}, {series!r}, {instance!r}.")
    path = out / study / f"{instance}.dcm"
    if not path.is_file():
        with _reaching(address):
            dataset = client.retrieve_instance(
                study, series, instance, media_types=(("application/dicom", "*"),)
            )
        with replacing(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)
    return path


def _value(item: dict[str, Any], tag: str) -> str:
    values = item.get(tag, {}).get("Value") or [""]
    return str(values[0])


@contextmanager
def _service(address: str, patience: Patience) -> Iterator[DICOMwebClient]:
    """A client of a service, whose connections are closed at the end."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            "expected the address of a DICOMweb service, such as http://127.0.0.1:8042/dicom-web, found "
            f"{address!r}."
        )
    import_extra("dicomweb_client", extra="clinic", needed_by="DICOMweb")
    import requests
    from dicomweb_client import DICOMwebClient

    class Impatient(requests.adapters.HTTPAdapter):
        """Waits no longer than it is told; requests would wait for ever."""

        def send(self, *arguments: Any, **options: Any) -> requests.Response:
            options["timeout"] = patience.seconds
            return super().send(*arguments, **options)

    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, Impatient(max_retries=patience.retries))
        if token := os.environ.get(TOKEN_VARIABLE, "").strip():
            session.headers["Authorization"] = f"Bearer {token}"
        client = DICOMwebClient(url=address.rstrip("/"), session=session)
        client.set_http_retry_params(
            retry=patience.retries > 0,
            max_attempts=patience.retries + 1,
            wait_exponential_multiplier=int(1000 * patience.pause),
        )
        yield client


@contextmanager
def _reaching(address: str) -> Iterator[None]:
    """Turn what requests raises into a PeerError in plain words."""
    import requests
    from retrying import RetryError

    try:
        yield
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else "?"
        raise PeerError(
            f"{address} refuses: status {status}. Check the address, and the token in {TOKEN_VARIABLE} where "
            "the server wants one."
        ) from error
    except requests.Timeout as error:
        raise PeerError(f"{address} does not answer in time. Check whether the server runs.") from error
    except (requests.RequestException, RetryError) as error:
        raise PeerError(f"{address} cannot be reached ({error}). Check host and port.") from error


def _was_answered(error: BaseException | None) -> bool:
    import requests

    return isinstance(error, requests.HTTPError)
