INSERT INTO sources (project_id, source_id, service, environment, resource_attributes, scope_name, scope_version, received_at, retention_days)
SELECT
    project_id, sipHash64(service, environment), service, environment,
    map('service.name', service, 'deployment.environment.name', environment, 'host.name', concat(service, '-7d9f8b6c5-x2k4q')),
    'opentelemetry.instrumentation.genai.openai', '1.3b0', now64(9, 'UTC'), 30
FROM
(
    SELECT
        arrayJoin([{project:String}, 'small-0', 'small-1', 'small-2', 'small-3']) AS project_id,
        arrayJoin(['checkout', 'support-desk', 'research', 'coding', 'billing', 'onboarding', 'search', 'reports']) AS service,
        arrayJoin(['dev', 'staging', 'production']) AS environment
)
