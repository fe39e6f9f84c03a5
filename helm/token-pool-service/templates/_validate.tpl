{{/* What values.schema.json cannot say, or only by repeating what it found: relations of values, and secrets in the wrong place. */}}
{{- define "tokenpool.validate" -}}
{{- $mysql := .Values.externalMysql -}}
{{- $redis := .Values.externalRedis -}}
{{- if and (not .Values.mysql.enabled) (not $mysql.host) }}
{{- fail "externalMysql.host is missing: name the host of your database, or try the service out with mysql.enabled=true." }}
{{- end }}
{{- if and $mysql.host (not (regexMatch "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$" $mysql.host)) }}
{{- fail "externalMysql.host is more than a name or an IPv4 address: the port belongs into externalMysql.port, the schema into externalMysql.database, the login into externalMysql.username." }}
{{- end }}
{{- if and .Values.mysql.enabled $mysql.host }}
{{- fail "externalMysql.host and mysql.enabled exclude one another: the service has one database." }}
{{- end }}
{{- $ways := list -}}
{{- if .Values.redis.enabled }}{{ $ways = append $ways "redis.enabled" }}{{ end -}}
{{- if $redis.url }}{{ $ways = append $ways "externalRedis.url" }}{{ end -}}
{{- if $redis.sentinel.nodes }}{{ $ways = append $ways "externalRedis.sentinel.nodes" }}{{ end -}}
{{- if $redis.cluster.nodes }}{{ $ways = append $ways "externalRedis.cluster.nodes" }}{{ end -}}
{{- if $redis.existingSecret.urlKey }}{{ $ways = append $ways "externalRedis.existingSecret.urlKey" }}{{ end -}}
{{- if not $ways }}
{{- fail "No Redis is named: set one of externalRedis.url, externalRedis.sentinel.nodes, externalRedis.cluster.nodes and externalRedis.existingSecret.urlKey, or try the service out with redis.enabled=true." }}
{{- end }}
{{- if gt (len $ways) 1 }}
{{- fail (printf "%s exclude one another: the service has one Redis." (join " and " $ways)) }}
{{- end }}
{{- if contains "@" $redis.url }}
{{- fail "externalRedis.url holds credentials, and would stand in a ConfigMap: use externalRedis.username with externalRedis.existingSecret, or keep the whole URL in a Secret and name its key in externalRedis.existingSecret.urlKey." }}
{{- end }}
{{- if and $redis.url (not (regexMatch "^rediss?://[A-Za-z0-9._-]+(:[0-9]+)?(/[0-9]+)?$" $redis.url)) }}
{{- fail "externalRedis.url is not of the form redis://host:port or rediss://host:port, with one host. Several servers are named in externalRedis.sentinel.nodes or externalRedis.cluster.nodes." }}
{{- end }}
{{- if and $redis.sentinel.nodes (not $redis.sentinel.masterName) }}
{{- fail "externalRedis.sentinel.masterName is missing: the name under which the sentinels know the server." }}
{{- end }}
{{- if and $redis.cluster.nodes $redis.db }}
{{- fail "externalRedis.db must be 0: a Redis Cluster has no other database." }}
{{- end }}
{{- if and $redis.existingSecret.urlKey (not $redis.existingSecret.name) }}
{{- fail "externalRedis.existingSecret.name is missing: the Secret that has urlKey." }}
{{- end }}
{{- include "tokenpool.validateSealing" . }}
{{- include "tokenpool.validatePorts" . }}
{{- include "tokenpool.validateLease" . }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas." }}
{{- end }}
{{- if and .Values.autoscaling.enabled (not .Values.autoscaling.targetCPUUtilizationPercentage) (not .Values.autoscaling.targetMemoryUtilizationPercentage) }}
{{- fail "autoscaling has nothing to go by: set targetCPUUtilizationPercentage or targetMemoryUtilizationPercentage." }}
{{- end }}
{{- if and (not .Values.journal.persistence.enabled) (not .Values.updateStrategy.maxSurge) (not .Values.updateStrategy.maxUnavailable) }}
{{- fail "updateStrategy.maxSurge and updateStrategy.maxUnavailable are both 0: no pod could ever be replaced." }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
{{- fail "ingress.hosts is empty: name the hosts by which callers come in." }}
{{- end }}
{{- if and (not .Values.migration.username) (or .Values.migration.password .Values.migration.existingSecret.name) }}
{{- fail "migration.username is missing: its password alone does not say whose it is." }}
{{- end }}
{{- end }}

{{- define "tokenpool.validateSealing" -}}
{{- $ids := list -}}
{{- range $index, $key := .Values.sealing.keys }}
{{- if has $key.id $ids }}
{{- fail (printf "sealing.keys[%d].id is there a second time: each key needs an id of its own." $index) }}
{{- end }}
{{- $ids = append $ids $key.id }}
{{- if eq (empty $key.key) (empty $key.existingSecret) }}
{{- fail (printf "sealing.keys[%d] needs either key or existingSecret." $index) }}
{{- end }}
{{- if and $key.key (ne (len (b64dec $key.key)) 32) }}
{{- fail (printf "sealing.keys[%d].key is not base64 of 32 bytes: make one by `openssl rand -base64 32`." $index) }}
{{- end }}
{{- end }}
{{- with .Values.sealing.activeKey }}
{{- if not (has . $ids) }}
{{- fail "sealing.activeKey is not the id of one of sealing.keys." }}
{{- end }}
{{- end }}
{{- end }}

{{- define "tokenpool.validatePorts" -}}
{{- if eq (int .Values.containerPorts.application) (int .Values.containerPorts.admin) }}
{{- fail "containerPorts.application and containerPorts.admin are the same: each needs a port of its own." }}
{{- end }}
{{- end }}

{{/* As src/config/sections/cluster.ts, so that it is told before pods fail of it. */}}
{{- define "tokenpool.validateLease" -}}
{{- $lease := include "tokenpool.setting" (list . "cluster" "leaseTime" 3000) | int64 -}}
{{- $renew := include "tokenpool.setting" (list . "cluster" "renewEvery" 0) | int64 -}}
{{- if le (mul (div (mul $lease 2) 3) 10) (mul $renew 12) }}
{{- fail (printf "config.cluster.renewEvery (%d ms) is too long for a config.cluster.leaseTime of %d ms: two thirds of that must be more than 1.2 times this." $renew $lease) }}
{{- end }}
{{- end }}
