#!/bin/sh
# Of the image: `nextclick` with the words that follow; or, as Spark starts its pods, one of its executors.
set -eu

if [ "${1:-}" != executor ]; then
  exec nextclick "$@"
fi

# As kubernetes/dockerfiles/spark/entrypoint.sh of Spark 4 does, for the Spark that is in the virtual environment.
jars=$(python -c 'import importlib.util as u; print(u.find_spec("pyspark").submodule_search_locations[0])')/jars
set --
number=0
while option=$(printenv "SPARK_JAVA_OPT_$number"); do
  set -- "$@" "$option"
  number=$((number + 1))
done
exec java "$@" "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" -cp "${SPARK_CLASSPATH:+$SPARK_CLASSPATH:}$jars/*" \
  org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
  --driver-url "$SPARK_DRIVER_URL" \
  --executor-id "$SPARK_EXECUTOR_ID" \
  --cores "$SPARK_EXECUTOR_CORES" \
  --app-id "$SPARK_APPLICATION_ID" \
  --hostname "$SPARK_EXECUTOR_POD_IP" \
  --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" \
  --podName "$SPARK_EXECUTOR_POD_NAME"
