{{/* The release's name; a release of the chart's own name is not called dbbudget-dbbudget. */}}
{{- define "dbbudget.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "dbbudget.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dbbudget.labels" -}}
{{ include "dbbudget.selector" . }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "dbbudget.image" -}}
{{ required "image.repository is empty: say where you put the image, as in --set image.repository=REGISTRY/dbbudget" .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The webhook's configuration belongs to the whole cluster, so two releases must not share a name. */}}
{{- define "dbbudget.webhook" -}}
{{- if eq .Release.Namespace (include "dbbudget.name" .) }}{{ include "dbbudget.name" . }}{{ else }}{{ printf "%s-%s" .Release.Namespace (include "dbbudget.name" .) }}{{ end -}}
{{- end }}

{{- define "dbbudget.secret" -}}
{{ .Values.webhook.secretName | default (printf "%s-webhook" (include "dbbudget.name" .)) }}
{{- end }}

{{- define "dbbudget.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "dbbudget.name" . }}
{{- end }}

{{/* The account of the hook that takes dbbudget's hands off. */}}
{{- define "dbbudget.release" -}}
{{ include "dbbudget.name" . }}-release
{{- end }}

{{/* Containers that the restricted standard lets in, here and for the hooks. */}}
{{- define "dbbudget.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* On which nodes pods run, and before whom, those of hooks included: an image is not for every node. */}}
{{- define "dbbudget.placement" -}}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
