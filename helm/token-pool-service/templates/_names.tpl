{{/* The name of the application in labels. */}}
{{- define "tokenpool.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* What the names of all objects begin with: 50 characters at most, so that what follows still fits into 63. */}}
{{- define "tokenpool.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "tokenpool.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "tokenpool.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "tokenpool.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "tokenpool.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "tokenpool.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels of pods beside those of the selector: none that an upgrade changes, which would restart pods for nothing. */}}
{{- define "tokenpool.podLabels" -}}
app.kubernetes.io/part-of: {{ .Chart.Name }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* By what the pods of a component are found: list of the root and the component's name. Never changes within a release. */}}
{{- define "tokenpool.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "tokenpool.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Metadata of an object: list of the root, the component, and what follows the common part of the name. */}}
{{- define "tokenpool.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "tokenpool.fullname" $root }}{{ with index . 2 }}-{{ . }}{{ end }}
{{ include "tokenpool.place" (list $root (index . 1)) }}
{{- end }}

{{/* Metadata without the name: list of the root and the component. */}}
{{- define "tokenpool.place" -}}
{{- $root := index . 0 -}}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "tokenpool.selector" (list $root (index . 1)) | nindent 2 }}
  {{- include "tokenpool.labels" $root | nindent 2 }}
{{- end }}

{{/* An image as one word: list of its values and the tag where they name none. */}}
{{- define "tokenpool.image" -}}
{{- $image := index . 0 -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default (index . 1) $image.tag }}{{ end }}
{{- end }}

{{- define "tokenpool.pullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}
