{{/* Pod and volume settings of the official images, which run as user 999 where they are not let run as root. */}}
{{- define "tokenpool.bundledSecurity" -}}
runAsNonRoot: true
runAsUser: 999
runAsGroup: 999
fsGroup: 999
seccompProfile: {type: RuntimeDefault}
{{- end }}
