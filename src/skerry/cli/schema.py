"""``skerry schema``: JSON Schemas for editors."""

from __future__ import annotations

import click

# Those of skerry.model.schema (test), which takes long to import.
SCHEMA_NAMES = (
    "cloud", "secrets", "manifest",
    "Pod", "Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob",
    "ConfigMap", "Secret", "PersistentVolumeClaim", "Service",
)  # fmt: skip


@click.command()
@click.argument(
    "name",
    type=click.Choice(SCHEMA_NAMES),
    default="cloud",
)
def schema(name: str) -> None:
    """Print the JSON Schema of cloud.yaml, of secrets.yaml, of any manifest, or of one kind.

    For an editor that speaks to yaml-language-server: write the schema to a file and name it in
    the YAML file's first line, as "# yaml-language-server: $schema=FILE".
    """
    import json

    from skerry.model.schema import json_schema

    click.echo(json.dumps(json_schema(name), indent=2))
