#!/bin/sh
# Print deploy/prometheus/rules.yml as a PrometheusRule, for Prometheus' operator:
#   sh deploy/kubernetes/prometheus-rule.sh | kubectl apply --filename -
set -eu
cat << 'END'
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: fixgate, namespace: fixgate, labels: {app.kubernetes.io/part-of: fixgate}}
spec:
END
sed 's/^/  /' "$(dirname "$0")/../prometheus/rules.yml"
