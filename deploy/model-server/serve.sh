#!/bin/sh
# Answers of a folder that `nextclick model` made, by MLflow's own server: docs/model-servers.md.
#     deploy/model-server/serve.sh          on loopback; HOST, PORT and MODEL say otherwise
# SageMaker calls its image with the word `serve`, and has the model in /opt/ml/model and asks at port 8080. Vertex AI names port
# and routes by AIP_HTTP_PORT, AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE.
set -eu

model=${MODEL:-/opt/ml/model}
host=${HOST:-127.0.0.1}
[ -f "$model/MLmodel" ] || {
  echo "serve.sh: there is no model in $model: name the folder that \`nextclick model NAME FOLDER\` made, MODEL=FOLDER." >&2
  exit 2
}
if [ -n "${AIP_HTTP_PORT:-}" ]; then
  export MODEL="$model"
  exec python -m uvicorn --app-dir "$(dirname "$0")" --host "$host" --port "$AIP_HTTP_PORT" vertex:app
fi
exec mlflow models serve --model-uri "$model" --env-manager local --host "$host" --port "${PORT:-8080}"
