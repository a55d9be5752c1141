"""Configuration by environment, one place. `truetape settings` prints the table that docs/configuration.md holds."""

from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PORT_BASES: Final = (1024, 60_000)
"""Lowest and highest TRUETAPE_PORT_BASE."""
PORT_OFFSETS: dict[str, int] = {
    "kafka": 92,
    "kafka-controller": 93,
    "postgres": 32,
    "redis": 79,
    "gateway": 80,
    "alpha": 101,
    "beta": 102,
    "projection": 200,
    "risk": 201,
    "router": 202,
    "clearing": 203,
    "pricing": 204,
    "reconciler": 205,
    "notary": 206,
}
"""A process's port is TRUETAPE_PORT_BASE plus this."""


class VenueSettings(BaseModel):
    """One venue: where it is, and the keys with which it is reached."""

    rest_url: str = Field(description="Base URL of the venue's REST API")
    stream_url: str = Field(description="Base URL of the venue's websocket API")
    api_key: SecretStr = Field(SecretStr(""), description="Trading key, used by the router alone")
    api_secret: SecretStr = Field(SecretStr(""), description="Secret of the trading key")
    read_key: SecretStr = Field(SecretStr(""), description="Read-only key, used by the reconciler")
    read_secret: SecretStr = Field(SecretStr(""), description="Secret of the read-only key")
    ping_seconds: float = Field(
        0.5,
        ge=0.25,
        le=2.0,
        description="Seconds between pings of a websocket; each pong proves its books right",
    )
    look_seconds: float = Field(0.05, gt=0, le=10.0, description="How soon a new listing's book is followed")


class Settings(BaseSettings):
    """Every setting of every process. Environment names are TRUETAPE_ plus the upper-case field name."""

    model_config = SettingsConfigDict(env_prefix="TRUETAPE_", env_nested_delimiter="__", extra="ignore")

    home: Path = Field(Path(".truetape"), description="Where the native stack keeps data, logs and downloads")
    port_base: int = Field(
        18000, ge=PORT_BASES[0], le=PORT_BASES[1], description="First port; each process adds its own offset"
    )
    host: str = Field("127.0.0.1", description="Address on which the HTTP servers of all processes listen")
    kafka: str = Field("127.0.0.1:18092", description="Kafka bootstrap servers, host:port[,host:port]")
    replication: int = Field(
        1, ge=1, le=5, description="Replicas of each topic; min.insync.replicas is 2 when 3 or more"
    )
    postgres: SecretStr = Field(SecretStr(""), description="PostgreSQL connection string of the view database")
    redis: SecretStr = Field(SecretStr(""), description="Redis URL for rate limits and hot keys")
    gateway: str = Field("", description="Trader's commands: base URL of the gateway [http://127.0.0.1 and its port]")
    key: SecretStr = Field(SecretStr(""), description="Trader's commands: the API key that they send")
    instance: str = Field(
        "0",
        pattern=r"^[a-zA-Z0-9-]{1,40}$",
        description="Name of this instance among its service's instances; unique",
    )
    venues: dict[str, VenueSettings] = Field(
        default_factory=dict, description="Venues by name, for example TRUETAPE_VENUES__ALPHA__REST_URL"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto is console in a terminal and json elsewhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")
    session_timeout_ms: int = Field(
        10_000, ge=6_000, le=60_000, description="Kafka group session timeout; writers' lease is half of it"
    )
    watchdog_seconds: float = Field(60.0, gt=1, description="A run loop stuck for longer ends its process")
    restore_timeout_seconds: float = Field(
        300.0, gt=1, description="Deadline of a restore; what is missing is then named"
    )
    in_flight_max: int = Field(
        4_096, ge=1, le=100_000, description="Records per process that await their delivery report"
    )
    snapshot_every_records: int = Field(50_000, ge=1, description="Own records of a partition between snapshots")
    snapshot_every_seconds: float = Field(
        60.0, gt=0, description="Seconds between snapshots of a partition that changed"
    )
    decision_timeout_ms: int = Field(
        2_000, ge=10, le=60_000, description="How long a POST waits for risk before it answers 202"
    )
    pending_orders_max: int = Field(
        2_000, ge=1, description="Submissions that one gateway lets wait; more get 503 with Retry-After"
    )
    reconcile_seconds: float = Field(5.0, gt=0, description="Seconds between reconciliations with each venue")
    break_grace_seconds: float = Field(
        5.0, ge=0, description="How long a difference may be mere timing before it is a break"
    )
    mark_interval_ms: int = Field(250, ge=10, description="Shortest time between two marks of an instrument")

    notary_folder: Annotated[Path | None, BeforeValidator(lambda given: given or None)] = Field(
        None,
        description="Where the notary keeps its key, the witness file and the trees; audits and proofs use them too",
    )
    notary_public_key: str = Field(
        "", pattern="^([0-9a-f]{64})?$", description="The notary's public key that audits and proofs trust, in hex"
    )
    checkpoint_seconds: float = Field(10.0, gt=0, description="Longest time between checkpoints of a tape that grows")
    checkpoint_records: int = Field(10_000, ge=1, description="Most records between two checkpoints")

    def port(self, name: str) -> int:
        """The port of a process: port_base plus its offset."""
        return self.port_base + PORT_OFFSETS[name]

    @property
    def port_base_said(self) -> int | None:
        """The port base where somebody has said one, else None: as the stack had it before."""
        return self.port_base if "port_base" in self.model_fields_set else None


@cache
def settings() -> Settings:
    """Settings of this process, read once from its environment."""
    return Settings()
