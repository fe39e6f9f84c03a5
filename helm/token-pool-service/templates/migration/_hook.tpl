{{/*
When the migration runs: before the release is there, so of nothing that belongs to the release. A database that the
chart brings along is not there before the installation; its image sets it up itself, and only upgrades find it.
List of the root, the weight and what deletes the object.
*/}}
{{- define "tokenpool.migrationHook" -}}
helm.sh/hook: {{ if (index . 0).Values.mysql.enabled }}pre-upgrade{{ else }}pre-install,pre-upgrade{{ end }}
helm.sh/hook-weight: {{ index . 1 | quote }}
helm.sh/hook-delete-policy: {{ index . 2 }}
{{- end }}

{{/* The Secret and key of the migration's password, as JSON; empty where there is none. */}}
{{- define "tokenpool.migrationPassword" -}}
{{- $migration := .Values.migration -}}
{{- $mysql := .Values.externalMysql -}}
{{- $own := printf "%s-migration" (include "tokenpool.fullname" .) -}}
{{- if .Values.mysql.enabled -}}
{{ toJson (dict "name" (printf "%s-mysql" (include "tokenpool.fullname" .)) "key" "password") }}
{{- else if $migration.username -}}
{{- if $migration.existingSecret.name }}{{ toJson $migration.existingSecret }}
{{- else if $migration.password }}{{ toJson (dict "name" $own "key" "password" "value" $migration.password) }}{{ end }}
{{- else if $mysql.existingSecret.name -}}
{{ toJson $mysql.existingSecret }}
{{- else if $mysql.password -}}
{{ toJson (dict "name" $own "key" "password" "value" $mysql.password) }}
{{- end }}
{{- end }}
