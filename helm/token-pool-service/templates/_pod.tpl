{{/* The pod of a node: that of the Deployment, or of the StatefulSet where the journal has volumes of its own. */}}
{{- define "tokenpool.podTemplate" -}}
metadata:
  labels:
    {{- include "tokenpool.selector" (list . "node") | nindent 4 }}
    {{- include "tokenpool.podLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # The service reads its settings at its start.
    checksum/config: {{ include "tokenpool.configFile" . | sha256sum }}
    checksum/secret: {{ include "tokenpool.secretChecksum" . }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- with include "tokenpool.pullSecrets" . }}
  {{- . | nindent 2 }}
  {{- end }}
  serviceAccountName: {{ include "tokenpool.serviceAccountName" . }}
  automountServiceAccountToken: false
  # Kubernetes' variables for a Service called "tokenpool" would look like settings.
  enableServiceLinks: false
  # The image's first process waits for the courier of a service that crashed; it can only where it is process 1.
  shareProcessNamespace: false
  terminationGracePeriodSeconds: {{ include "tokenpool.gracePeriod" . }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- include "tokenpool.spread" . | trim | nindent 4 }}
  containers:
    - name: token-pool-service
      {{- include "tokenpool.container" . | nindent 6 }}
  volumes:
    - name: config
      configMap:
        name: {{ include "tokenpool.fullname" . }}
    {{- with include "tokenpool.fileSources" . }}
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- . | trim | nindent 10 }}
    {{- end }}
    - name: tmp
      emptyDir:
        medium: Memory
        sizeLimit: 16Mi
    {{- if not .Values.journal.persistence.enabled }}
    - name: journal
      emptyDir:
        {{- with .Values.journal.sizeLimit }}
        sizeLimit: {{ . }}
        {{- else }} {}
        {{- end }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "tokenpool.container" -}}
image: {{ include "tokenpool.image" (list .Values.image .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
env:
  - name: TOKENPOOL_CONFIG
    value: /etc/token-pool-service/config.yml
  - name: TOKENPOOL_JOURNAL_FOLDER
    value: {{ include "tokenpool.journalFolder" . }}
  {{- range include "tokenpool.files" . | fromYamlArray }}
  {{- if .env }}
  - name: {{ .env }}
    value: {{ include "tokenpool.filesFolder" $ }}/{{ .file }}
  {{- end }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - name: application
    containerPort: {{ .Values.containerPorts.application | int }}
  - name: admin
    containerPort: {{ .Values.containerPorts.admin | int }}
{{- $scheme := include "tokenpool.scheme" (list . "admin") | upper }}
{{- with .Values.probes }}
# Has it started? It answers when it has reached MySQL and holds all tokens in memory; until then nothing else is asked.
startupProbe:
  httpGet: {path: /live, port: admin, scheme: {{ $scheme }}}
  periodSeconds: {{ .startup.periodSeconds | int }}
  timeoutSeconds: 2
  failureThreshold: {{ include "tokenpool.startupFailures" $ }}
# Does the process answer at all? It asks no store: while one is away a restart would only lose what is in memory.
livenessProbe:
  httpGet: {path: /live, port: admin, scheme: {{ $scheme }}}
  periodSeconds: {{ .liveness.periodSeconds | int }}
  timeoutSeconds: {{ .liveness.timeoutSeconds | int }}
  failureThreshold: {{ .liveness.failureThreshold | int }}
# May callers be sent here? From the end of the start to SIGTERM, whatever happens to the stores.
readinessProbe:
  httpGet: {path: /ready, port: admin, scheme: {{ $scheme }}}
  periodSeconds: {{ .readiness.periodSeconds | int }}
  timeoutSeconds: {{ .readiness.timeoutSeconds | int }}
  failureThreshold: {{ .readiness.failureThreshold | int }}
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/token-pool-service
    readOnly: true
  {{- if include "tokenpool.fileSources" . }}
  - name: secrets
    mountPath: {{ include "tokenpool.filesFolder" . }}
    readOnly: true
  {{- end }}
  - name: journal
    mountPath: {{ include "tokenpool.journalFolder" . }}
  - name: tmp
    mountPath: /tmp
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "tokenpool.spread" -}}
{{- $hash := ternary "controller-revision-hash" "pod-template-hash" .Values.journal.persistence.enabled -}}
{{- range .Values.topologySpreadConstraints }}
- {{ toYaml . | nindent 2 | trim }}
  {{- if not .labelSelector }}
  labelSelector:
    matchLabels:
      {{- include "tokenpool.selector" (list $ "node") | nindent 6 }}
  {{- end }}
{{- else }}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ $key }}
  maxSkew: 1
  # A pod in the wrong place is better than none.
  whenUnsatisfiable: ScheduleAnyway
  # Only pods of the same version are counted, or an update would end in a lopsided spread.
  matchLabelKeys: [{{ $hash }}]
  labelSelector:
    matchLabels:
      {{- include "tokenpool.selector" (list $ "node") | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}
