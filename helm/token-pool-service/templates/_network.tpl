{{/* Ports that a node must reach, as a list; a port may be in it twice. */}}
{{- define "tokenpool.egressPorts" -}}
{{- $redis := .Values.externalRedis -}}
- {{ include "tokenpool.mysqlPort" . }}
{{- if $redis.cluster.nodes }}
{{- range $redis.cluster.nodes }}
- {{ default 6379 .port | int }}
{{- end }}
{{- else }}
- {{ regexFind "[0-9]+$" (regexFind "^rediss?://[^/]+:[0-9]+" $redis.url) | default "6379" }}
{{- range $redis.sentinel.nodes }}
- {{ default 26379 .port | int }}
{{- end }}
{{- end }}
{{- range .Values.networkPolicy.egress.tokenEndpointPorts }}
- {{ . | int }}
{{- end }}
{{- if dig "tslMailConfig" "host" "" .Values.config }}
- {{ dig "tslMailConfig" "port" 587 .Values.config | int }}
{{- end }}
{{- end }}
