{{/*
Every file that a node reads beside config.yml: its name, the Secret or ConfigMap it comes from, the key there, and the
variable that names it. A secret reaches the service as a file only: no value of it stands in the pod's environment.
*/}}
{{- define "tokenpool.files" -}}
{{- $own := include "tokenpool.fullname" . -}}
{{- $mysql := .Values.externalMysql -}}
{{- $redis := .Values.externalRedis -}}
{{- if .Values.mysql.enabled }}
- {file: database-password, secret: {{ $own }}-mysql, key: password, env: TOKENPOOL_DATABASE_PASSWORD_FILE}
{{- else }}
{{- include "tokenpool.password" (list . "database-password" "TOKENPOOL_DATABASE_PASSWORD_FILE" $mysql) }}
{{- end }}
{{- if .Values.redis.enabled }}
- {file: redis-password, secret: {{ $own }}-redis, key: password, env: TOKENPOOL_REDIS_PASSWORD_FILE}
{{- else if and $redis.existingSecret.name $redis.existingSecret.urlKey }}
- {file: redis-url, secret: {{ $redis.existingSecret.name }}, key: {{ $redis.existingSecret.urlKey | quote }}, env: TOKENPOOL_REDIS_URL_FILE}
{{- else }}
{{- include "tokenpool.password" (list . "redis-password" "TOKENPOOL_REDIS_PASSWORD_FILE" $redis) }}
{{- include "tokenpool.password" (list . "sentinel-password" "TOKENPOOL_REDIS_SENTINEL_PASSWORD_FILE" $redis.sentinel) }}
{{- end }}
{{- include "tokenpool.password" (list . "mail-password" "TOKENPOOL_TSL_MAIL_CONFIG_PASSWORD_FILE" .Values.mail) }}
{{- range .Values.sealing.keys }}
{{- if .existingSecret }}
- {file: "sealing-{{ .id }}", secret: {{ .existingSecret.name }}, key: {{ .existingSecret.key | quote }}}
{{- else }}
- {file: "sealing-{{ .id }}", secret: {{ $own }}, key: "sealing-{{ .id }}"}
{{- end }}
{{- end }}
{{- if not .Values.mysql.enabled }}
{{- include "tokenpool.authority" (list "database-ca.crt" $mysql.tls.ca) }}
{{- end }}
{{- if not .Values.redis.enabled }}
{{- include "tokenpool.authority" (list "redis-ca.crt" $redis.tls.ca) }}
{{- include "tokenpool.keyPair" (list "redis-client" $redis.tls.clientCertificateSecret) }}
{{- end }}
{{- include "tokenpool.authority" (list "token-endpoints-ca.crt" .Values.tokenEndpoints.ca) }}
{{- include "tokenpool.keyPair" (list "application" .Values.tls.application.existingSecret) }}
{{- include "tokenpool.keyPair" (list "admin" .Values.tls.admin.existingSecret) }}
{{- end }}

{{/* A password of the values' own Secret, or of this chart's: list of the root, the file, the variable and its values. */}}
{{- define "tokenpool.password" -}}
{{- $values := index . 3 -}}
{{- if $values.existingSecret.name }}
- {file: {{ index . 1 }}, secret: {{ $values.existingSecret.name }}, key: {{ $values.existingSecret.key | quote }}, env: {{ index . 2 }}}
{{- else if $values.password }}
- {file: {{ index . 1 }}, secret: {{ include "tokenpool.fullname" (index . 0) }}, key: {{ index . 1 }}, env: {{ index . 2 }}}
{{- end }}
{{- end }}

{{- define "tokenpool.authority" -}}
{{- $ca := index . 1 -}}
{{- if $ca.secret }}
- {file: {{ index . 0 }}, secret: {{ $ca.secret }}, key: {{ $ca.key | quote }}}
{{- else if $ca.configMap }}
- {file: {{ index . 0 }}, configMap: {{ $ca.configMap }}, key: {{ $ca.key | quote }}}
{{- end }}
{{- end }}

{{- define "tokenpool.keyPair" -}}
{{- if index . 1 }}
- {file: {{ index . 0 }}.crt, secret: {{ index . 1 }}, key: tls.crt}
- {file: {{ index . 0 }}.key, secret: {{ index . 1 }}, key: tls.key}
{{- end }}
{{- end }}

{{/* The path of one of those files; empty where it is not mounted: list of the root and the file. */}}
{{- define "tokenpool.path" -}}
{{- $wanted := index . 1 -}}
{{- range include "tokenpool.files" (index . 0) | fromYamlArray }}
{{- if eq .file $wanted }}{{ include "tokenpool.filesFolder" $ }}/{{ $wanted }}{{ end }}
{{- end }}
{{- end }}

{{- define "tokenpool.filesFolder" -}}
/run/secrets/token-pool-service
{{- end }}

{{/* Those files as sources of a projected volume. */}}
{{- define "tokenpool.fileSources" -}}
{{- range include "tokenpool.files" . | fromYamlArray }}
- {{ if .secret }}secret{{ else }}configMap{{ end }}:
    name: {{ .secret | default .configMap }}
    items:
      - key: {{ .key | quote }}
        path: {{ .file | quote }}
{{- end }}
{{- end }}

{{/* What stands in the chart's own Secret: the secrets that the values hold themselves. */}}
{{- define "tokenpool.secretData" -}}
{{- $own := include "tokenpool.fullname" . -}}
{{- $values := dict "database-password" .Values.externalMysql.password "redis-password" .Values.externalRedis.password "sentinel-password" .Values.externalRedis.sentinel.password "mail-password" .Values.mail.password -}}
{{- range .Values.sealing.keys }}{{ $_ := set $values (printf "sealing-%s" .id) (default "" .key) }}{{ end -}}
{{- range include "tokenpool.files" . | fromYamlArray }}
{{- if eq (default "" .secret) $own }}
{{ .file | quote }}: {{ get $values .file | b64enc | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/*
Changes when a secret of the values does, so that the pods are replaced. By way of scrypt: whoever may read pods, and not
Secrets, must not be able to try passwords against a plain hash.
*/}}
{{- define "tokenpool.secretChecksum" -}}
{{- $data := include "tokenpool.secretData" . -}}
{{- if $data }}{{ derivePassword 1 "maximum" $data .Release.Name .Chart.Name | sha256sum | trunc 32 }}{{ else }}none{{ end }}
{{- end }}

{{/* A password that is made up once and kept by upgrades: list of the root, the Secret, its key and the value that has precedence. */}}
{{- define "tokenpool.keptPassword" -}}
{{- $root := index . 0 -}}
{{- $there := lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- $kept := dig "data" (index . 2) "" (default dict $there) | b64dec -}}
{{- index . 3 | default $kept | default (randAlphaNum 32) }}
{{- end }}
