"""A real mail server on a free port, which accepts mails or fails in the ways of mail servers."""

from __future__ import annotations

import asyncio
import logging
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Self
from uuid import uuid4

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from downloads_project.local.ports import free_ports

TAKEN = "250 OK"
logging.getLogger("mail.log").setLevel(logging.ERROR)  # it logs each line sent and received


class MailServer:
    """Replies to MAIL with `objections`, to RCPT with `refusals`, to DATA with `verdicts`.

    Without any left, it accepts. A mail is in `mails` as soon as it is complete, whatever the
    reply: with the verdict `CUT` the connection is closed without one, with `HOLD` there is none
    until `release` or the end.

    Its greeting offers 8-bit mails (8BITMIME) and addresses outside ASCII (SMTPUTF8), unless a test
    turns them off; then it refuses them.
    """

    CUT, HOLD = "cut", "hold"

    def __init__(self, port: int = 0) -> None:
        self.takes_8_bits = self.takes_utf8 = True
        self.says_8_bits = True  # else it accepts them without offering 8BITMIME
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.senders: list[str] = []
        self.options: list[list[str]] = []  # of MAIL
        self.recipients: list[str] = []  # of each RCPT
        self.objections: list[str] = []
        self.refusals: list[str] = []
        self.verdicts: list[str] = []
        self.port = port or next(free_ports(str(uuid4())))
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=True, auth_require_tls=False
        )
        self._released = asyncio.Event()

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()
        self._controller.stop()

    def release(self) -> None:
        self._controller.loop.call_soon_threadsafe(self._released.set)

    # Everything below runs in the server's thread.

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, name: str, lines: list[str]
    ) -> list[str]:
        session.host_name = name
        said = {
            "250-8BITMIME": self.takes_8_bits and self.says_8_bits,
            "250-SMTPUTF8": self.takes_utf8,
        }
        return [line for line in lines if said.get(line, True)]

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.objections:
            return self.objections.pop(0)
        envelope.mail_from = address
        self.senders.append(address)
        self.options.append(options)
        return TAKEN

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.recipients.append(address)
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return TAKEN

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        if not self.takes_8_bits and not envelope.content.isascii():
            return "554 5.6.1 8-bit data is not taken"
        mail = message_from_bytes(envelope.content, policy=default)
        self.raw.append(envelope.content)
        self.mails.append(mail)
        verdict = self.verdicts.pop(0) if self.verdicts else TAKEN
        if verdict == self.CUT:
            assert server.transport
            server.transport.abort()
        elif verdict == self.HOLD:
            await self._released.wait()
        return TAKEN if verdict in (self.CUT, self.HOLD) else verdict
