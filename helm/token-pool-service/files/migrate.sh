#!/bin/sh
# Brings the database to the schema of this release, by the scripts of dbscripts/ that it still lacks. May be run at any
# time and any number of times. Needs sh, sed and the client of MySQL or MariaDB; the password reaches the client in a
# file that only this user may read, never as an argument or variable.
#
#   DATABASE_HOST DATABASE_PORT DATABASE_NAME DATABASE_USER   where, and as whom
#   DATABASE_PASSWORD_FILE    file with the password; may be missing
#   DATABASE_TLS              DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY
#   DATABASE_CA_FILE          PEM; empty: the authorities of the system
#   SCRIPTS                   folder of the scripts
#   FROM_VERSION_1            true: a database of version 1 is taken over
#   WAIT_SECONDS              how long to wait for the database
set -eu

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

client=$(command -v mysql || command -v mariadb) || fail 'This image has no client of MySQL or MariaDB: set migration.image.'
options=$(mktemp)
said=$(mktemp)
trap 'rm -f "$options" "$said"' EXIT

# A value of an option file: in quotes, with what quotes and escapes doubled.
quoted() { sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e '1s/^/"/' -e '$s/$/"/'; }

system_authorities() {
  for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    if [ -r "$file" ]; then printf '%s' "$file"; return; fi
  done
}

tls_of_mysql() {
  say "ssl-mode=$DATABASE_TLS"
  case $DATABASE_TLS in
    VERIFY_*) say "ssl-ca=${DATABASE_CA_FILE:-$(system_authorities)}" ;;
  esac
}

# MariaDB's client has no modes: before 11.4 it does not verify unless told to, since then it does unless told not to; it
# always verifies the name as well; and older ones go on in the clear where the server has no TLS (see insist_on_tls).
tls_of_mariadb() {
  case $DATABASE_TLS in
    DISABLED) say 'skip-ssl' ;;
    PREFERRED) say 'skip-ssl-verify-server-cert' ;;
    REQUIRED) printf 'ssl\nskip-ssl-verify-server-cert\n' ;;
    *) printf 'ssl\nssl-verify-server-cert\nssl-ca=%s\n' "${DATABASE_CA_FILE:-$(system_authorities)}" ;;
  esac
}

write_options() {
  say '[client]'
  say 'protocol=TCP'
  say 'connect-timeout=5'
  say "host=$DATABASE_HOST"
  say "port=$DATABASE_PORT"
  printf 'user='; printf '%s\n' "$DATABASE_USER" | quoted
  if [ -n "${DATABASE_PASSWORD_FILE:-}" ]; then printf 'password='; printf '%s\n' "$(cat "$DATABASE_PASSWORD_FILE")" | quoted; fi
  case $("$client" --version) in
    *MariaDB*) tls_of_mariadb ;;
    *) tls_of_mysql ;;
  esac
}

sql() { "$client" --defaults-file="$options" --batch --skip-column-names "$@"; }
ask() { printf '%s;\n' "$1" | sql; }

wait_for_database() {
  left=$WAIT_SECONDS
  until ask 'SELECT 1' >/dev/null 2>"$said"; do
    # Refused for good: a wait mends neither a log-in nor a certificate.
    if grep -Eq '^ERROR (1044|1045|1049|1251|1698|2026) ' "$said"; then fail "$(cat "$said")"; fi
    if [ "$left" -le 0 ]; then fail "The database did not answer in $WAIT_SECONDS s: $(cat "$said")"; fi
    left=$((left - 2))
    sleep 2
  done
}

insist_on_tls() {
  case $DATABASE_TLS in
    DISABLED | PREFERRED) return ;;
  esac
  cipher=$(ask "SHOW SESSION STATUS LIKE 'Ssl_cipher'" | sed -e 's/^Ssl_cipher[[:space:]]*//')
  [ -n "$cipher" ] || fail "The connection to the database is not encrypted, and TLS mode $DATABASE_TLS asks for it."
}

tables() {
  ask "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '$DATABASE_NAME' AND LOWER(table_name) IN ($1)"
}
has_column() {
  [ "$(ask "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = '$DATABASE_NAME'
    AND LOWER(table_name) = '$1' AND LOWER(column_name) = '$2' AND data_type LIKE '${3:-%}'")" -gt 0 ]
}

# The version that the tables have; `none` for a database without them. As src/mysql/schema.ts tells them apart.
version() {
  case $(tables "'tsxwho', 'tsttoken', 'tstevent'") in
    0) say none; return ;;
    3) ;;
    *) fail "The database lacks some of tsxwho, tsttoken and tstevent, or its user may not see them. If its set-up was interrupted and it holds no data, drop the schema; otherwise restore a backup." ;;
  esac
  if has_column tstschema version; then
    reached=$(ask "SELECT version FROM \`$DATABASE_NAME\`.tstschema ORDER BY INET_ATON(CONCAT(version, '.0')) DESC LIMIT 1")
    if [ -n "$reached" ]; then say "$reached"; return; fi
  fi
  if ! has_column tstemail tstmailaddr || ! has_column tsxwho retrydelay; then say 1.0.1; return; fi
  if has_column tsttoken tokenvalidity bigint; then say 1.1.8; else say 1.1.7; fi
}

# 1.2.3 or 1_2_3 as a number that can be compared.
number() {
  set -- $(printf '%s' "$1" | tr '._' '  ')
  say $(($1 * 1000000 + $2 * 1000 + $3))
}
is_newer() { [ "$(number "$1")" -gt "$(number "$2")" ]; }

target_of() {
  name=${1##*to}
  printf '%s' "${name%.sql}" | tr _ .
}
newest_target() {
  newest=0.0.0
  for script in "$SCRIPTS"/migration*.sql; do
    if is_newer "$(target_of "$script")" "$newest"; then newest=$(target_of "$script"); fi
  done
  say "$newest"
}

# The scripts name the schema `token_service`. A change that waits for a table lets nobody else at it: it gives up soon, and the Job
# is tried again.
run() {
  say "Running ${1##*/}."
  { say 'SET SESSION lock_wait_timeout = 10;'; sed "s/\`token_service\`/\`$DATABASE_NAME\`/g" "$1"; } | sql
}

migrate_from() {
  # Names sort as versions do, as long as no part of one has two digits; so they are taken by their number.
  while :; do
    next=
    for script in "$SCRIPTS"/migration*.sql; do
      if ! is_newer "$(target_of "$script")" "$1"; then continue; fi
      if [ -z "$next" ] || is_newer "$(target_of "$next")" "$(target_of "$script")"; then next=$script; fi
    done
    if [ -z "$next" ]; then return; fi
    run "$next"
    set -- "$(target_of "$next")"
  done
}

write_options >"$options"
wait_for_database
insist_on_tls
target=$(newest_target)
found=$(version)
case $found in
  none)
    say 'The database has no table of the service.'
    run "$SCRIPTS/baseline.sql" ;;
  "$target") ;;
  1.*)
    say "The database is at schema $found."
    [ "$FROM_VERSION_1" = true ] || fail "It is one of version 1. Back it up, stop the old service or see to it that no new node refreshes beside it (config.isMaster=false; docs/upgrade.md), and then set migration.fromVersion1=true."
    migrate_from "$found" ;;
  *)
    if is_newer "$found" "$target"; then
      fail "The database is at schema $found, which is newer than what this release works with ($target). Install the release that belongs to it."
    fi
    say "The database is at schema $found."
    migrate_from "$found" ;;
esac
reached=$(version)
[ "$reached" = "$target" ] || fail "The database is at schema $reached after the scripts, and not at $target."
say "The database is at schema $target."
