"""What programs contain around their versions, as short texts: one example or more for each rule of the table of classifiers.

Each is (rule, path, content, package URL). Contents are written down from what strings the programs are known to have; `ELF` stands for everything else.
"""

from __future__ import annotations

ELF = b"\x7fELF\x02\x01\x01" + bytes(57)
_JDK17 = b"\0openjdk\0java\x000.0\x0017.0.9+9\0"
_SHA = b"0123456789abcdef0123456789abcdef01234567"

Example = tuple[str, str, bytes, str]

_LANGUAGES: list[Example] = [
    ("python", "usr/local/bin/python3.11", b"pymalloc\x003.11.2\0strict", "pkg:generic/python@3.11.2"),
    ("python", "usr/bin/python2.7", b"\0\x002.7.18+\0", "pkg:generic/python@2.7.18%2B"),
    ("libpython", "usr/local/lib/libpython3.12.so.1.0", b"\x003.12.0rc1\0", "pkg:generic/python@3.12.0rc1"),
    ("libpython", "opt/lib/libpython3.7m.so.1.0", b"\x003.7.4\0", "pkg:generic/python@3.7.4"),
    ("pypy", "opt/pypy/bin/libpypy3.10-c.so", b"[PyPy 7.3.12 with GCC", "pkg:generic/pypy@7.3.12"),
    ("go", "usr/local/go/bin/go", b"\0go1.21.3\0", "pkg:generic/go@1.21.3"),
    ("go", "usr/local/go/bin/go", b"\0go1.22rc1\0", "pkg:generic/go@1.22rc1"),
    ("julia", "opt/julia/lib/julia/libjulia-internal.so.1.10", b"\0__init__\x001.10.11\0verify_methods\0", "pkg:generic/julia@1.10.11"),
    ("julia", "opt/julia/lib/julia/libjulia-internal.so", b"jl_image_unpack\x001.13.0-alpha2\0branch\0", "pkg:generic/julia@1.13.0-alpha2"),
    ("julia", "opt/julia/lib/libjulia.so.1", b"option `%s`\x001.5.4\0julia version %s", "pkg:generic/julia@1.5.4"),
    ("julia", "opt/julia/lib/libjulia.so.0.6", b"\0ObjectIdDict\x000.6.4\0jl_sysimg_cpu_target", "pkg:generic/julia@0.6.4"),
    ("nodejs", "usr/local/bin/node", b"node.js/v22.9.0 (", "pkg:generic/node@22.9.0"),
    ("nodejs", "usr/local/bin/node", b"\0node v0.10.48\0", "pkg:generic/node@0.10.48"),
    ("nodejs", "usr/local/bin/node", b"\0v6.17.1\0", "pkg:generic/node@6.17.1"),
    ("perl", "usr/local/bin/perl", b"/usr/local/lib/perl5/5.38.2/x86_64-linux-gnu", "pkg:generic/perl@5.38.2"),
    ("libperl", "usr/lib/libperl.so.5.36", b"PERL_INTERNAL_RAND_SEED\0v5.36.0\0", "pkg:generic/perl@5.36.0"),
    ("ruby", "usr/local/lib/libruby.so.3.2.1", b"\0ruby 3.2.1 (2023-02-08 revision 31819e82c8)", "pkg:generic/ruby@3.2.1"),
    ("ruby", "usr/local/bin/ruby", b"\0ruby 2.7.7p221 (2022-11-24 revision 168ec2b1e5)", "pkg:generic/ruby@2.7.7"),
    ("ruby", "usr/local/bin/ruby", b"\0ruby 3.4.0preview1 (2024-05-16 master 9d69619623)", "pkg:generic/ruby@3.4.0preview1"),
    ("php", "usr/local/sbin/php-fpm", b"X-Powered-By: PHP/8.3.4\0", "pkg:generic/php@8.3.4"),
    ("erlang", "usr/local/lib/erlang/erts-13/bin/erlexec", b"/usr/src/otp_src_25.3.2.6/erts/", "pkg:generic/erlang@25.3.2.6"),
    (
        "erlang",
        "usr/local/lib/erlang/bin/beam.smp",
        b"\0\x0026.1.2\0\0\0\0NUL\0".replace(b"NUL\0", b"") + b"Erlang/OTP",
        "pkg:generic/erlang@26.1.2",
    ),
    ("erlang", "x/beam.smp", b"Erlang/OTP 17%s [erts-6.4.1.6] [source]\x0017.5.6.9\0", "pkg:generic/erlang@17.5.6.9"),
    ("swipl", "usr/lib/swipl/bin/swipl", b"/usr/lib/swipl-9.1.2/library", "pkg:generic/swipl@9.1.2"),
    ("dart", "usr/lib/dart/bin/dart", b'Dart,GC"\x003.5.2 (stable)', "pkg:generic/dart@3.5.2"),
    ("dart", "usr/lib/dart/bin/dart", b"\x003.6.0-216.1.beta (beta)", "pkg:generic/dart@3.6.0-216.1.beta"),
    ("deno", "usr/bin/deno", b"xDeno/2.6.3Deno/", "pkg:generic/deno@2.6.3"),
    ("deno", "usr/bin/deno", b"deno-canary/" + _SHA + b"1.11.3dl", "pkg:generic/deno@1.11.3"),
    ("deno", "usr/bin/deno", b"standalone.rsdeno-" + _SHA + b"release/v1.28.3windows", "pkg:generic/deno@1.28.3"),
    ("deno", "usr/bin/deno", b"standalone.rsdeno-" + _SHA + b"1.16.4release/v", "pkg:generic/deno@1.16.4"),
    ("bun", "usr/local/bin/bun", b" Bun v1.0.0 ", "pkg:generic/bun@1.0.0"),
    ("bun", "usr/local/bin/bun", b"\0bun-1.1.0 ", "pkg:generic/bun@1.1.0"),
    ("ghc", "opt/ghc/lib/ghc-9.6.5", b"\0GHC 9.6.5\0", "pkg:generic/haskell/ghc@9.6.5"),
    ("ghc", "opt/ghc/bin/ghc", b"\0libHSghc-8.10.4-ghc8.10.4.so\0", "pkg:generic/haskell/ghc@8.10.4"),
    ("cabal", "opt/cabal", b"\0Cabal-3.10.3.0-AbC", "pkg:generic/haskell/cabal@3.10.3.0"),
    ("stack", "usr/bin/stack", b"Version 2.15.7, Git revision", "pkg:generic/haskell/stack@2.15.7"),
    ("rust-std", "l/libstd-a5a48102fbd58791.so", b"\0clang LLVM (rustc version 1.48.0 (7eac88abb 2020-11-16))", "pkg:generic/rust@1.48.0"),
    ("gcc", "usr/local/bin/gcc", b"GCC: (GNU) 12.3.0\0", "pkg:generic/gcc@12.3.0"),
    ("nim", "nim/bin/nim", b"@/build/nim-1.6.10/compiler/msgs.nim", "pkg:generic/nim@1.6.10"),
    ("lua", "usr/bin/lua5.4", b"$LuaVersion: Lua 5.4.4  Copyright (C)", "pkg:generic/lua@5.4.4"),
]

_JAVA: list[Example] = [
    ("graalvm", "opt/graalvm/bin/java", b"\x0017.0.3+7-jvmci-22.1-b06\0", "pkg:generic/oracle/graalvm@17.0.3%2B7-jvmci-22.1-b06"),
    ("zulu", "usr/lib/jvm/zulu17/bin/java", _JDK17, "pkg:generic/azul/zulu@17.0.9%2B9"),
    ("zulu-jdb", "usr/lib/jvm/zulu11/bin/jdb", b"\0jdb\x000.0\x0011.0.17+8-LTS\0", "pkg:generic/azul/zulu@11.0.17%2B8-LTS"),
    ("openjdk", "opt/java/openjdk/bin/java", _JDK17, "pkg:generic/oracle/openjdk@17.0.9%2B9"),
    ("openjdk", "opt/java/bin/java", b"\0openjdk\0java\x001.8\x001.8.0_352-b08\0", "pkg:generic/oracle/openjdk@1.8.0_352-b08"),
    ("openjdk", "opt/java/bin/java", b"\x000.0\0\0\0\0\x0011.0.22+7\0\0\0openjdk\0java\0", "pkg:generic/oracle/openjdk@11.0.22%2B7"),
    ("openjdk-named-otherwise", "opt/java/bin/java", b"\x000.0\x0019.0.1+10-21\0x\0openjdk", "pkg:generic/oracle/openjdk@19.0.1%2B10-21"),
    ("ibm-java", "opt/ibm/java/bin/java", b"\0java\x001.8\0\0\x001.8.0-foreman_2022_01\0", "pkg:generic/ibm/java@1.8.0-foreman_2022_01"),
    ("oracle-jre", "usr/java/bin/java", b"java\x001.8\x001.8.0_451-b10\0", "pkg:generic/oracle/jre@1.8.0_451-b10"),
]

_DATABASES: list[Example] = [
    ("valkey", "usr/local/bin/valkey-server", b"valkey9.0.0buildkitsandbox-1764887574000000000", "pkg:generic/valkey@9.0.0"),
    ("redis", "usr/local/bin/redis-server", b"A7.0.14buildkitsandbox-1702957741000000000\0", "pkg:generic/redis@7.0.14"),
    ("redis", "usr/local/bin/redis-server", b"\x004.0.11841ce7054bd9-1542359302000000000\0", "pkg:generic/redis@4.0.11"),
    ("redis", "usr/local/bin/redis-server", b"Server started, Redis version 2.8.23\0", "pkg:generic/redis@2.8.23"),
    ("arangodb", "usr/bin/arangosh", b"\x003.12.0-2 enterprise [linux]", "pkg:generic/arangodb@3.12.0-2"),
    ("postgresql", "usr/local/bin/postgres", b"\0PostgreSQL 15.1 on x86_64", "pkg:generic/postgresql@15.1"),
    ("postgresql", "usr/local/bin/postgres", b"\0PostgreSQL 16beta1 on", "pkg:generic/postgresql@16beta1"),
    ("percona-xtradb-cluster", "usr/bin/mysql", b"/b/Percona-XtraDB-Cluster-8.0.34/", "pkg:generic/percona-xtradb-cluster@8.0.34"),
    ("percona-server", "usr/bin/mysql", b"/b/percona-server-8.0.35-27/", "pkg:generic/percona-server@8.0.35"),
    ("xtrabackup", "usr/bin/xtrabackup", b"/b/percona-xtrabackup-8.0.35-30/", "pkg:generic/percona-xtrabackup@8.0.35"),
    ("mariadb", "usr/bin/mariadb", b"\x0010.6.15-MariaDB\0", "pkg:generic/mariadb@10.6.15"),
    ("mariadb", "usr/bin/mysql", b"/x/mariadb-11.8.5-2-redhat-x86_64/", "pkg:generic/mariadb@11.8.5"),
    (
        "mysql-cluster-server-of-old",
        "s/mysqld",
        b"cluster-gpl\x005.7.33-ndb-7.5.21",
        "pkg:generic/mysql-server@5.7.33 pkg:generic/mysql-cluster@7.5.21",
    ),
    ("mysql-cluster", "usr/sbin/ndbmtd", b"/b/mysql-cluster-gpl-8.0.34/storage", "pkg:generic/mysql-cluster@8.0.34"),
    ("mysql-server", "usr/sbin/mysqld", b"/release/mysql-8.0.37/sql/", "pkg:generic/mysql-server@8.0.37"),
    ("mysql", "usr/bin/mysql", b"shutdown\x008.0.37\0\0\0\0\0mysql_real_esc", "pkg:generic/mysql@8.0.37"),
    ("mysql", "usr/bin/mysql", b"/release/mysql-8.0.4-rc/mysys_ssl/my_default.cc", "pkg:generic/mysql@8.0.4-rc"),
    ("mongodb", "usr/bin/mongod", b"6.0.27\0tcmalloc", "pkg:generic/mongodb@6.0.27"),
    ("mongodb", "usr/bin/mongod", b"8.0.17\0\0cppdefines", "pkg:generic/mongodb@8.0.17"),
    ("memcached", "usr/local/bin/memcached", b"memcached 1.6.18\n", "pkg:generic/memcached@1.6.18"),
    ("sqlcipher", "usr/bin/sqlcipher", b"cipher_version\x004.5.5\0", "pkg:generic/sqlcipher@4.5.5"),
    ("sqlite", "usr/lib/libsqlite3.so.0.8.6", b"sqlite_master\x003.40.1\0", "pkg:generic/sqlite@3.40.1"),
]

_SERVERS: list[Example] = [
    ("nginx", "usr/sbin/nginx", b"\0nginx version: nginx/1.25.1\n", "pkg:generic/nginx@1.25.1"),
    ("nginx", "usr/local/openresty/nginx/sbin/nginx", b"\0nginx version: openresty/1.21.4.1\n", "pkg:generic/nginx@1.21.4"),
    ("httpd", "usr/local/apache2/bin/httpd", b"\0Apache/2.4.54 (Unix)\0", "pkg:generic/httpd@2.4.54"),
    ("haproxy", "usr/local/sbin/haproxy", b" version 2.7.3-1065b10, released 2023/02/14", "pkg:generic/haproxy@2.7.3"),
    ("haproxy", "usr/local/sbin/haproxy", b"HA-Proxy version 1.8.22 2019/10/25", "pkg:generic/haproxy@1.8.22"),
    ("lighttpd", "usr/sbin/lighttpd", b"\0lighttpd/1.4.76\0", "pkg:generic/lighttpd@1.4.76"),
    ("envoy", "usr/local/bin/envoy", b"\x001.36.4\0..envoy_reloadable_features", "pkg:generic/envoy@1.36.4"),
    ("envoy", "usr/local/bin/envoy", b"envoy_quic_server\x001.28.7\0", "pkg:generic/envoy@1.28.7"),
    ("envoy", "usr/local/bin/envoy", b"\x001.18.6-dev\0Unable to", "pkg:generic/envoy@1.18.6-dev"),
    ("varnish", "usr/sbin/varnishd", b"varnish-7.1.1 revision 7cee1c58", "pkg:generic/varnish@7.1.1"),
    ("squid", "usr/sbin/squid", b"\0squid/5.7\0", "pkg:generic/squid@5.7"),
    ("proftpd", "usr/sbin/proftpd", b"\0ProFTPD Version 1.3.8b\0", "pkg:generic/proftpd@1.3.8b"),
    ("openldap", "usr/bin/ldapsearch", b"@(#) $OpenLDAP: ldapsearch 2.6.7 (", "pkg:generic/openldap@2.6.7"),
    ("bind", "usr/sbin/named", b"\0libisc-9.18.24.so\0", "pkg:generic/bind@9.18.24"),
    ("unbound", "usr/sbin/unbound", b"\0unbound 1.17.1\0", "pkg:generic/unbound@1.17.1"),
    ("dnsmasq", "usr/sbin/dnsmasq", b"\0dnsmasq-2.90\0", "pkg:generic/dnsmasq@2.90"),
    ("openssh", "usr/sbin/sshd", b"\0OpenSSH_9.2\0%s\0OpenSSH_9.2p1 Debian", "pkg:generic/openssh@9.2p1"),
    ("dovecot", "usr/sbin/dovecot", b"\0Dovecot v2.3.19.1 (9b53102964)", "pkg:generic/dovecot@2.3.19.1"),
    ("postfix", "usr/sbin/postconf", b"\0mail_version=3.7.11\0", "pkg:generic/postfix@3.7.11"),
    ("tor", "usr/bin/tor", b"\0tor 0.4.8.12\0", "pkg:generic/tor@0.4.8.12"),
    ("mosquitto", "usr/sbin/mosquitto", b"\x002.0.18\0mosquitto version %s", "pkg:generic/mosquitto@2.0.18"),
    ("fluent-bit", "fluent-bit/bin/fluent-bit", b"\x003.0.2\0%sFluent Bit", "pkg:generic/fluent-bit@3.0.2"),
    ("fluent-bit", "fluent-bit/bin/fluent-bit", b"\0\x001.3.10\0\0Fluent Bit v%s", "pkg:generic/fluent-bit@1.3.10"),
    ("krb5", "usr/lib/libkrb5.so.3.3", b"\0KRB5_BRAND: krb5-1.17-final 1.17 20190108\0", "pkg:generic/krb5@1.17"),
    ("heimdal", "usr/lib/libkrb5.so.26", b"@(#)$Version: Heimdal 7.8.0 $\0", "pkg:generic/heimdal-krb5@7.8.0"),
]

_TOOLS: list[Example] = [
    ("busybox", "bin/busybox", b"\0BusyBox v1.36.1 (2023", "pkg:generic/busybox@1.36.1"),
    ("util-linux", "usr/bin/getopt", b"\0util-linux 2.37.4\0", "pkg:generic/util-linux@2.37.4"),
    ("bash", "bin/bash", b"@(#)Bash version 5.2.0(1) rc4 GNU", "pkg:generic/bash@5.2.0"),
    ("aws-lc", "usr/bin/openssl", b"\0OpenSSL 1.1.1 (compatible; AWS-LC 1.69.0)\0", "pkg:generic/aws-lc@1.69.0"),
    ("libressl", "usr/bin/openssl", b"\0LibreSSL 3.7.2\0", "pkg:generic/libressl@3.7.2"),
    ("openssl", "usr/bin/openssl", b"\0OpenSSL 1.1.1w  11 Sep 2023\0", "pkg:generic/openssl@1.1.1w"),
    ("openssl", "usr/lib/libcrypto.so.3", b"\0OpenSSL 3.2.0-beta1 24 Oct 2023\0", "pkg:generic/openssl@3.2.0-beta1"),
    ("curl", "usr/bin/curl", b"\0curl/8.5.0\0", "pkg:generic/curl@8.5.0"),
    ("zstd", "usr/local/bin/zstd", b"\0v1.5.6\0Zstandard CLI", "pkg:generic/zstd@1.5.6"),
    ("xz", "usr/bin/xz", b"\0xz (XZ Utils) 5.6.2\0", "pkg:generic/xz@5.6.2"),
    ("gzip", "bin/gzip", b"\x001.12\0%s: %s: not in gzip format", "pkg:generic/gzip@1.12"),
    ("jq", "usr/bin/jq", b"\x001.7.1\0jq: error", "pkg:generic/jq@1.7.1"),
    ("qtbase", "usr/lib/libQt6Core.so.6.5.0", b"\0\0Qt 6.5.0 (x86_64-little_endian", "pkg:generic/qtbase@6.5.0"),
    ("qtbase", "usr/lib/libQtCore.so.4", b"QtCore library version 4.8.7", "pkg:generic/qtbase@4.8.7"),
    ("ffmpeg", "usr/bin/ffmpeg", b"\0%s version 6.0\0", "pkg:generic/ffmpeg@6.0"),
    ("libav", "usr/lib/libavcodec.so.59.37.100", b"\0FFmpeg version 5.1.4\0", "pkg:generic/ffmpeg@5.1.4"),
    ("chrome", "opt/google/chrome/chrome", b"\x00127.0.6533.119\0Default", "pkg:generic/chrome@127.0.6533.119"),
    ("git", "usr/bin/git", b"\0git/2.43.0\0GIT_USER_AGENT", "pkg:generic/git@2.43.0"),
    ("wget", "usr/bin/wget", b"GNU Wget\x001.21.3\0", "pkg:generic/wget@1.21.3"),
    ("rsync", "usr/bin/rsync", b"/etc/rsyncd.conf\x003.2.7\0", "pkg:generic/rsync@3.2.7"),
    ("sudo", "usr/bin/sudo", b"\x001.9.13p3\0Configure options", "pkg:generic/sudo@1.9.13p3"),
    ("tini", "sbin/tini", b"\0tini version 0.19.0\0", "pkg:generic/tini@0.19.0"),
    ("tcpdump", "usr/bin/tcpdump", b"\0%s version 4.99.3\n", "pkg:generic/tcpdump@4.99.3"),
    ("zlib", "lib/libz.so.1.2.13", b" deflate 1.2.13 Copyright 1995-2022", "pkg:generic/zlib@1.2.13"),
    ("expat", "lib/libexpat.so.1.8.10", b"\0expat_2.5.0\0", "pkg:generic/expat@2.5.0"),
    ("uwsgi", "usr/local/bin/uwsgi", b"uWSGI\x002.0.23\0", "pkg:generic/uwsgi@2.0.23"),
    ("crun", "usr/bin/crun", b"\x001.14.4\0%s version %s", "pkg:generic/crun@1.14.4"),
    ("conmon", "usr/bin/conmon", b"conmon version 2.1.6\n", "pkg:generic/conmon@2.1.6"),
    ("filebeat", "f/filebeat", b"github.com/elastic/beats forcestdinsetupTest 9.4.2%s %w", "pkg:generic/filebeat@9.4.2"),
    ("metricbeat", "f/metricbeat", b"github.com/elastic/beats createplugin8.18.4globalclient", "pkg:generic/metricbeat@8.18.4"),
    ("heartbeat", "f/heartbeat", b"github.com/elastic/beats setupTest 9.4.2input", "pkg:generic/heartbeat@9.4.2"),
    ("packetbeat", "f/packetbeat", b"github.com/elastic/beats5m.rate8.11.2-9765625", "pkg:generic/packetbeat@8.11.2"),
    ("auditbeat", "f/auditbeat", b"github.com/elastic/beats plugin9.4.2-globalclient", "pkg:generic/auditbeat@9.4.2"),
    ("elastic-agent", "e/elastic-agent", b"config/statsenroll: true9.4.2-headeruint16", "pkg:generic/elastic-agent@9.4.2"),
    ("elastic-agent", "e/elastic-agent", b"3:04PM8.11.2:https", "pkg:generic/elastic-agent@8.11.2"),
]

_GO: list[Example] = [
    ("consul", "bin/consul", b'github.com/hashicorp/consul GitDescribe=1.12.9"', "pkg:golang/github.com/hashicorp/consul@v1.12.9"),
    ("vault", "bin/vault", b"github.com/hashicorp/vault revoke1.18.0", "pkg:golang/github.com/hashicorp/vault@v1.18.0"),
    (
        "grafana",
        "bin/grafana",
        b"github.com/grafana/grafana\0release-12.3.2+security-01\0",
        "pkg:golang/github.com/grafana/grafana@v12.3.2",
    ),
    ("istio-pilot-agent", "bin/pilot-agent", b"istio.io/istio Clean\0\0\x001.8.0\0", "pkg:golang/istio.io/istio@v1.8.0"),
    ("istio-pilot-discovery", "bin/pilot-discovery", b"istio.io/istio Modified\0\x001.10-dev\0", "pkg:golang/istio.io/istio@v1.10-dev"),
    (
        "kubelet",
        "usr/bin/kubelet",
        b"k8s.io/kubernetes clean\0\0\0v1.28.3\0v1.28.3\0 \0v1.2.0\0",
        "pkg:generic/k8s.io/kubelet@1.28.3 pkg:golang/k8s.io/kubernetes@v1.28.3",
    ),
    (
        "etcd",
        "usr/local/bin/etcd",
        b"go.etcd.io/etcd\ndep\tgo.etcd.io/etcd/api/v3\tv3.5.9\n=>\t../api\t(devel)\t\n",
        "pkg:golang/go.etcd.io/etcd/server/v3@v3.5.9 pkg:golang/go.etcd.io/etcd/v3@v3.5.9",
    ),
    (
        "cilium",
        "usr/bin/cilium-agent",
        b"github.com/cilium/cilium\x001.14.2 a6748946 2023-09-09T21:08:31+00:00 go version go1.20.8 linux/amd64\0",
        "pkg:golang/github.com/cilium/cilium@v1.14.2",
    ),
    (
        "minio",
        "opt/bin/minio",
        b"github.com/minio/minio\0RELEASE.2023-09-04T19-57-37Z\0",
        "pkg:golang/github.com/minio/minio@v2023-09-04T19-57-37Z",
    ),
]

BINARIES = [(rule, path, ELF + content, purl) for rule, path, content, purl in (*_LANGUAGES, *_JAVA, *_DATABASES, *_SERVERS, *_TOOLS, *_GO)]
"""Programs and libraries."""

TEXTS: list[Example] = [
    ("go-version-file", "usr/local/go/VERSION", b"go1.21.3\ntime 2023-10-09T17:04:35Z\n", "pkg:generic/go@1.21.3"),
    ("erlang-otp-version", "usr/local/lib/erlang/releases/26/OTP_VERSION", b"26.2.4\n", "pkg:generic/erlang@26.2.4"),
    ("elixir", "usr/local/bin/elixir", b"#!/bin/sh\nELIXIR_VERSION=1.12.0-rc.1\n", "pkg:generic/elixir@1.12.0-rc.1"),
    ("elixir-application", "usr/lib/elixir/lib/elixir/ebin/elixir.app", b'{vsn,"1.14.0"},', "pkg:generic/elixir@1.14.0"),
    ("composer", "usr/bin/composer", b"<?php namespace Composer; 'pretty_version' => '2.7.2',", "pkg:generic/composer@2.7.2"),
    ("composer-source", "x/Composer/Composer.php", b"namespace Composer;\n public const VERSION = '2.5.5';", "pkg:generic/composer@2.5.5"),
    ("wp-cli", "usr/local/bin/wp", b"#!/usr/bin/env php\nwp-cli/wp-cli 2.9.0\n", "pkg:generic/wp-cli@2.9.0"),
    ("drupal", "opt/drupal/web/core/lib/Drupal.php", b"<?php class Drupal { const VERSION = '10.1.5';", "pkg:generic/drupal@10.1.5"),
    (
        "firefox",
        "opt/firefox/application.ini",
        b"[App]\nVendor=Mozilla\nName=Firefox\nRemotingName=firefox\nVersion=151.0\nBuildID=1\n",
        "pkg:generic/firefox@151.0",
    ),
    ("thunderbird", "opt/t/application.ini", b"[App]\r\nName=Thunderbird\r\nVersion=128.3.1\r\n", "pkg:generic/thunderbird@128.3.1"),
]
"""Files that are no programs."""
