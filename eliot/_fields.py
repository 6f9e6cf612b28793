"""The vocabulary: names of reserved fields, statuses and Eliot's own types."""

TASK_UUID_FIELD = "task_uuid"
TASK_LEVEL_FIELD = "task_level"
TIMESTAMP_FIELD = "timestamp"
MESSAGE_TYPE_FIELD = "message_type"
ACTION_TYPE_FIELD = "action_type"
ACTION_STATUS_FIELD = "action_status"
EXCEPTION_FIELD = "exception"
REASON_FIELD = "reason"
TRACEBACK_FIELD = "traceback"

# Those that are logged if somebody wants them.
LOG_LEVEL_FIELD = "log_level"
DURATION_FIELD = "duration"
TRACEBACK_AT_FIELD = "traceback_at"
CALLER_FIELD = "caller"
PROCESS_FIELD = "process"
HOST_FIELD = "host"
THREAD_FIELD = "thread"
TASK_FIELD = "task"

STARTED_STATUS = "started"
SUCCEEDED_STATUS = "succeeded"
FAILED_STATUS = "failed"
VALID_STATUSES = (STARTED_STATUS, SUCCEEDED_STATUS, FAILED_STATUS)

#: The fields that say which message this is and when it was logged; every message has them.
IDENTITY_FIELDS = (TASK_LEVEL_FIELD, TASK_UUID_FIELD, TIMESTAMP_FIELD)

#: The fields that nothing but the logging call itself may set: its identity and its type.
PROTECTED_FIELDS = frozenset(
    (*IDENTITY_FIELDS, MESSAGE_TYPE_FIELD, ACTION_TYPE_FIELD, ACTION_STATUS_FIELD)
)

TRACEBACK_TYPE = "eliot:traceback"
SERIALIZATION_FAILURE_TYPE = "eliot:serialization_failure"
DESTINATION_FAILURE_TYPE = "eliot:destination_failure"
LOST_TYPE = "eliot:lost"
STDLIB_TYPE = "eliot:stdlib"
UNCAUGHT_TYPE = "eliot:uncaught"
WARNING_TYPE = "eliot:warning"
REMOTE_TASK_TYPE = "eliot:remote_task"
FORKED_TYPE = "eliot:forked"

#: Maps the names of fields that could not be kept as they are to what was done to them: some of
#: the texts below, with "; " between them.
DEGRADED_FIELD = "eliot:degraded"

BIG_INTEGER = "integer over 64 bits written as text"
NO_TEXT_KEY = "key that is no text written as text"
EQUAL_KEYS = "key renamed, there was one like it"
LONE_SURROGATE = "lone surrogate written as escape"
CYCLE = "cycle cut"
TOO_DEEP = "cut, nested too deep"
TOO_LARGE = "cut, too large"
NO_TEXT = "str() or repr() failed"
FAILED_CONVERSION = "conversion failed"
REFUSED = "refused by the default function"
REENTERED = "cut, logged by its own conversion"
FAILED_FUNCTION = "function of the field failed"

#: Routing instructions that may ride among a message's keywords; stripped at the door.
LOGGER_KEY = "__eliot_logger__"
SERIALIZER_KEY = "__eliot_serializer__"
