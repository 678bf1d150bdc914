"""Which options of curl, wget and HTTPie take a value. Pure.

A table, because nothing that is kept up reads these command lines: the parsers on PyPI know a
dozen of curl's options. curl's is that of its sources at 8.22 (`src/tool_getparam.c`) with what
7.88 had besides, wget's that of 1.21's `--help`, HTTPie's that of 3.2's. A test compares it with
the `--help` of the tools that are installed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one tool, by their long names without dashes."""

    values: frozenset[str]
    """Those that take a value."""
    switches: frozenset[str]
    """Those that don't; a `no-` before them is no part of the name."""
    letters: dict[str, str]
    """The long name for each short one: {"d": "data"}."""

    def named(self, name: str) -> str:
        """The long name that a name or its beginning is meant for; "" if none or several are."""
        bare = name if name in self.values | self.switches else name.removeprefix("no-")
        if bare in self.values or bare in self.switches:
            return bare
        meant = [known for known in self.values | self.switches if known.startswith(bare)]
        return meant[0] if len(meant) == 1 else ""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _letters(text: str) -> dict[str, str]:
    return {pair[0]: pair[2:] for pair in text.split()}


CURL = Options(
    values=_names(
        """
        abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers config
        connect-timeout connect-to continue-at cookie cookie-jar create-file-mode crlfile curves
        data data-ascii data-binary data-raw data-urlencode delegation dns-interface dns-ipv4-addr
        dns-ipv6-addr dns-servers doh-url dump-header ech egd-file engine etag-compare etag-save
        expect100-timeout form form-string ftp-account ftp-alternative-to-user ftp-method ftp-port
        ftp-ssl-ccc-mode happy-eyeballs-timeout-ms haproxy-clientip header help hostpubmd5
        hostpubsha256 hsts httpsig-algo httpsig-headers httpsig-key httpsig-keyid interface ip-tos
        ipfs-gateway json keepalive-cnt keepalive-time key key-type knownhosts krb krb4 libcurl
        limit-rate local-port login-options mail-auth mail-from mail-rcpt max-filesize max-redirs
        max-time netrc-file noproxy oauth2-bearer output output-dir parallel-max parallel-max-host
        pass pinnedpubkey preproxy proto proto-default proto-redir proxy proxy-cacert proxy-capath
        proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile proxy-header proxy-key
        proxy-key-type proxy-pass proxy-pinnedpubkey proxy-service-name proxy-tls13-ciphers
        proxy-tlsauthtype proxy-tlspassword proxy-tlsuser proxy-user proxy1.0 pubkey quote
        random-file range rate referer request request-target resolve retry retry-delay
        retry-max-time sasl-authzid service-name sigalgs socks4 socks4a socks5
        socks5-gssapi-service socks5-hostname speed-limit speed-time ssl-sessions stderr
        telnet-option tftp-blksize time-cond tls-max tls13-ciphers tlsauthtype tlspassword tlsuser
        trace trace-ascii trace-config unix-socket upload-file upload-flags url url-query user
        user-agent variable vlan-priority write-out
        """
    ),
    switches=_names(
        """
        alpn anyauth append basic buffer ca-native cert-status clobber compressed compressed-ssh
        create-dirs crlf digest disable disable-eprt disable-epsv disallow-username-in-url
        doh-cert-status doh-insecure dump-ca-embed eprt epsv fail fail-early fail-with-body
        false-start follow form-escape ftp-create-dirs ftp-pasv ftp-pret ftp-skip-pasv-ip ftp-ssl
        ftp-ssl-ccc ftp-ssl-control ftp-ssl-reqd get globoff haproxy-protocol head http0.9 http1.0
        http1.1 http2 http2-prior-knowledge http3 http3-only ignore-content-length include
        insecure ipv4 ipv6 junk-session-cookies keepalive list-only location location-trusted
        mail-rcpt-allowfails manual metalink mptcp negotiate netrc netrc-optional next npn ntlm
        ntlm-wb out-null parallel parallel-immediate path-as-is post301 post302 post303
        progress-bar progress-meter proxy-anyauth proxy-basic proxy-ca-native proxy-digest
        proxy-http2 proxy-http3 proxy-insecure proxy-negotiate proxy-ntlm proxy-ssl-allow-beast
        proxy-ssl-auto-client-cert proxy-tlsv1 proxytunnel raw remote-header-name remote-name
        remote-name-all remote-time remove-on-error retry-all-errors retry-connrefused sasl-ir
        sessionid show-error show-headers silent skip-existing socks5-basic socks5-gssapi
        socks5-gssapi-nec ssl ssl-allow-beast ssl-auto-client-cert ssl-no-revoke ssl-reqd
        ssl-revoke-best-effort sslv2 sslv3 styled-output suppress-connect-headers tcp-fastopen
        tcp-nodelay test-duphandle test-event tftp-no-options tls-earlydata tlsv1 tlsv1.0 tlsv1.1
        tlsv1.2 tlsv1.3 tr-encoding trace-ids trace-time use-ascii verbose version wdebug xattr
        """
    ),
    letters=_letters(
        """
        #=progress-bar 0=http1.0 1=tlsv1 2=sslv2 3=sslv3 4=ipv4 6=ipv6 :=next A=user-agent
        B=use-ascii C=continue-at D=dump-header E=cert F=form G=get H=header I=head
        J=remote-header-name K=config L=location M=manual N=buffer O=remote-name P=ftp-port
        Q=quote R=remote-time S=show-error T=upload-file U=proxy-user V=version X=request
        Y=speed-limit Z=parallel a=append b=cookie c=cookie-jar d=data e=referer f=fail g=globoff
        h=help i=show-headers j=junk-session-cookies k=insecure l=list-only m=max-time n=netrc
        o=output p=proxytunnel q=disable r=range s=silent t=telnet-option u=user v=verbose
        w=write-out x=proxy y=speed-time z=time-cond
        """
    ),
)
WGET = Options(
    values=_names(
        """
        accept accept-regex append-output backups base bind-address body-data body-file
        ca-certificate ca-directory certificate certificate-type ciphers compression config
        connect-timeout crl-file cut-dirs default-page directory-prefix dns-timeout domains
        exclude-directories exclude-domains execute follow-tags ftp-password ftp-user header
        hsts-file http-password http-user ignore-tags include-directories input-file level
        limit-rate load-cookies local-encoding max-redirect method output-document output-file
        password pinnedpubkey post-data post-file prefer-family private-key private-key-type
        progress proxy-password proxy-user quota read-timeout referer regex-type reject
        reject-regex rejected-log remote-encoding report-speed restrict-file-names
        retry-on-http-error save-cookies secure-protocol start-pos timeout tries use-askpass user
        user-agent wait waitretry warc-dedup warc-file warc-header warc-max-size warc-tempdir
        """
    ),
    switches=_names(
        """
        adjust-extension ask-password auth-no-challenge background backup-converted
        content-disposition content-on-error continue convert-file-only convert-links debug
        delete-after follow-ftp force-directories force-html ftps-clear-data-connection
        ftps-fallback-to-ftp ftps-implicit ftps-resume-ssl help https-only ignore-case
        ignore-length inet4-only inet6-only keep-session-cookies mirror no-cache
        no-check-certificate no-clobber no-config no-cookies no-directories no-dns-cache no-glob
        no-host-directories no-hsts no-http-keep-alive no-if-modified-since no-iri no-netrc
        no-parent no-passive-ftp no-proxy no-remove-listing no-use-server-timestamps no-verbose
        no-warc-compression no-warc-digests no-warc-keep-log page-requisites preserve-permissions
        protocol-directories quiet random-wait recursive relative retr-symlinks retry-connrefused
        save-headers server-response show-progress span-hosts spider strict-comments timestamping
        trust-server-names unlink verbose version warc-cdx xattr
        """
    ),
    letters=_letters(
        """
        4=inet4-only 6=inet6-only A=accept B=base D=domains E=adjust-extension F=force-html
        H=span-hosts I=include-directories K=backup-converted L=relative N=timestamping
        O=output-document P=directory-prefix Q=quota R=reject S=server-response T=timeout
        U=user-agent V=version X=exclude-directories a=append-output b=background c=continue
        d=debug e=execute h=help i=input-file k=convert-links l=level m=mirror o=output-file
        p=page-requisites q=quiet r=recursive t=tries v=verbose w=wait x=force-directories
        """
    ),
)
HTTPIE = Options(
    values=_names(
        """
        auth auth-type boundary cert cert-key cert-key-pass ciphers default-scheme format-options
        max-headers max-redirects output pretty print proxy raw response-charset response-mime
        session session-read-only ssl style timeout verify
        """
    ),
    switches=_names(
        """
        all body check-status chunked compress continue debug download follow form headers help
        ignore-netrc ignore-stdin json manual meta multipart offline path-as-is quiet sorted
        stream traceback unsorted verbose version
        """
    ),
    letters=_letters(
        """
        A=auth-type F=follow I=ignore-stdin S=stream a=auth b=body c=continue d=download f=form
        h=headers j=json m=meta o=output p=print q=quiet s=style v=verbose x=compress
        """
    ),
)
