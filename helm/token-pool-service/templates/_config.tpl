{{/* config.yml: the values under `config`, and over them what other values of the chart decide. */}}
{{- define "tokenpool.configFile" -}}
{{- include "tokenpool.validate" . -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) (include "tokenpool.decided" . | fromYaml)) }}
{{- end }}

{{- define "tokenpool.decided" -}}
database:
  url: {{ printf "jdbc:mysql://%s:%d/%s?sslMode=%s" (include "tokenpool.mysqlHost" .) (include "tokenpool.mysqlPort" . | int) (include "tokenpool.mysqlDatabase" .) (include "tokenpool.mysqlTls" .) | quote }}
  user: {{ include "tokenpool.mysqlUser" . | quote }}
  {{- with include "tokenpool.path" (list . "database-ca.crt") }}
  ca: {{ . }}
  {{- end }}
server:
  applicationConnectors:
    - {{- include "tokenpool.connector" (list . "application") | nindent 6 }}
  adminConnectors:
    - {{- include "tokenpool.connector" (list . "admin") | nindent 6 }}
redis:
  {{- include "tokenpool.redis" . | nindent 2 }}
{{- if .Values.sealing.keys }}
sealing:
  keys:
    {{- range .Values.sealing.keys }}
    - {id: {{ .id | quote }}, keyFile: {{ include "tokenpool.path" (list $ (printf "sealing-%s" .id)) | quote }}}
    {{- end }}
  {{- with .Values.sealing.activeKey }}
  activeKey: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with include "tokenpool.path" (list . "token-endpoints-ca.crt") }}
refresh:
  caFile: {{ . }}
{{- end }}
{{- end }}

{{- define "tokenpool.journalFolder" -}}
/var/lib/token-pool-service/journal
{{- end }}

{{- define "tokenpool.connector" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
port: {{ get $root.Values.containerPorts $name | int }}
type: {{ include "tokenpool.scheme" . }}
{{- with include "tokenpool.path" (list $root (printf "%s.crt" $name)) }}
certificateFile: {{ . }}
keyFile: {{ include "tokenpool.path" (list $root (printf "%s.key" $name)) }}
{{- end }}
{{- end }}

{{/* http or https: list of the root and the name of the port. */}}
{{- define "tokenpool.scheme" -}}
{{- if (get (index . 0).Values.tls (index . 1)).existingSecret }}https{{ else }}http{{ end }}
{{- end }}

{{- define "tokenpool.redis" -}}
{{- $redis := .Values.externalRedis -}}
{{- if .Values.redis.enabled }}
url: redis://{{ include "tokenpool.fullname" . }}-redis:6379
{{- else }}
{{- if $redis.url }}
url: {{ $redis.url | quote }}
{{- end }}
{{- with $redis.sentinel.nodes }}
sentinels: {{ toJson . }}
masterName: {{ $redis.sentinel.masterName | quote }}
{{- with $redis.sentinel.username }}
sentinelUsername: {{ . | quote }}
{{- end }}
{{- end }}
{{- with $redis.cluster.nodes }}
cluster: {{ toJson . }}
{{- end }}
{{- with $redis.username }}
username: {{ . | quote }}
{{- end }}
{{- if $redis.db }}
db: {{ $redis.db | int }}
{{- end }}
{{- include "tokenpool.redisTls" . }}
{{- end }}
{{- end }}

{{- define "tokenpool.redisTls" -}}
{{- $tls := .Values.externalRedis.tls -}}
{{- $keys := dict -}}
{{- with include "tokenpool.path" (list . "redis-ca.crt") }}{{ $_ := set $keys "ca" . }}{{ end -}}
{{- with include "tokenpool.path" (list . "redis-client.crt") }}{{ $_ := set $keys "cert" . }}{{ end -}}
{{- with include "tokenpool.path" (list . "redis-client.key") }}{{ $_ := set $keys "key" . }}{{ end -}}
{{- with $tls.servername }}{{ $_ := set $keys "servername" . }}{{ end -}}
{{- if $keys }}
tls: {{ toJson $keys }}
{{- else if $tls.enabled }}
tls: true
{{- end }}
{{- end }}

{{/* Where the database is, for the service and for the migration. */}}
{{- define "tokenpool.mysqlHost" -}}
{{- if .Values.mysql.enabled }}{{ include "tokenpool.fullname" . }}-mysql{{ else }}{{ .Values.externalMysql.host }}{{ end }}
{{- end }}
{{- define "tokenpool.mysqlPort" -}}
{{- if .Values.mysql.enabled }}3306{{ else }}{{ .Values.externalMysql.port | int }}{{ end }}
{{- end }}
{{- define "tokenpool.mysqlDatabase" -}}
{{- if .Values.mysql.enabled }}token_service{{ else }}{{ .Values.externalMysql.database }}{{ end }}
{{- end }}
{{- define "tokenpool.mysqlUser" -}}
{{- if .Values.mysql.enabled }}tokenpool{{ else }}{{ .Values.externalMysql.username }}{{ end }}
{{- end }}
{{- define "tokenpool.mysqlTls" -}}
{{- if .Values.mysql.enabled }}PREFERRED{{ else }}{{ .Values.externalMysql.tls.mode }}{{ end }}
{{- end }}

{{/* A time of the settings in ms: list of the root, section, key and the service's default. */}}
{{- define "tokenpool.setting" -}}
{{- dig (index . 1) (index . 2) (index . 3) (index . 0).Values.config | int64 }}
{{- end }}

{{/* How often the startup probe may fail: the service waits for its stores, then reads all tokens, for which a minute is left. */}}
{{- define "tokenpool.startupFailures" -}}
{{- $wait := include "tokenpool.setting" (list . "startup" "storeTimeout" 60000) | int64 -}}
{{- $period := .Values.probes.startup.periodSeconds | int64 -}}
{{- div (add (div (add $wait 999) 1000) 60 $period -1) $period }}
{{- end }}

{{/*
The longest that an orderly stop takes, in seconds: docs/operations.md, "Stopping a node", and two for the first process of
the container, which ends after it.
*/}}
{{- define "tokenpool.longestStop" -}}
{{- $delay := include "tokenpool.setting" (list . "http" "shutdownDelay" 5000) | int64 -}}
{{- $grace := include "tokenpool.setting" (list . "http" "shutdownGrace" 10000) | int64 -}}
{{- $connect := include "tokenpool.setting" (list . "refresh" "connectTimeout" 3000) | int64 -}}
{{- $request := include "tokenpool.setting" (list . "refresh" "requestTimeout" 10000) | int64 -}}
{{- add (div (add $delay $grace $connect $request 30999) 1000) 2 }}
{{- end }}

{{/* Seconds from SIGTERM to SIGKILL. */}}
{{- define "tokenpool.gracePeriod" -}}
{{- .Values.terminationGracePeriodSeconds | int64 | default (include "tokenpool.longestStop" . | int64) }}
{{- end }}
