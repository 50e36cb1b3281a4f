"""``camd revoke``: nobody gets in under a camera's name any more."""

import click

from camd.cli.settings import camera_id, configured, existing_store, key_ring
from camd.config import Loaded
from camd.keys import KeyRingError
from camd.photo import CameraId


@click.command()
@click.argument("camera", callback=camera_id)
@click.option("--forget", is_flag=True, help="Remove its key file: it is unknown again.")
@configured
def revoke(loaded: Loaded, camera: CameraId, forget: bool) -> None:
    """Let nobody in as CAMERA, even where unknown cameras are accepted.

    A running camd heeds it when the camera comes again, or at a SIGHUP; the photos stay.
    """
    existing_store(loaded)
    ring = key_ring(loaded)
    known = ring.path(camera).exists()
    try:
        if forget:
            ring.forget(camera)
        else:
            ring.revoke(camera)
    except KeyRingError as error:
        raise click.ClickException(str(error)) from error
    if forget:
        welcome = loaded.config.cameras.unknown == "accept"
        click.echo(f"{camera} has no key file any more.")
        click.echo(
            "It is welcome without a key, as every unknown camera is."
            if welcome
            else "As an unknown camera it is refused."
        )
    elif known:
        click.echo(f"{camera} is revoked: nobody gets in under that name.")
    else:
        click.echo(f"{camera} had no key; from now on nobody gets in under that name.")
    if not forget:
        click.echo("A connection that it has now ends when camd gets a SIGHUP.")
