"""Errors of the regulation index; each text says what to do."""


class KnowledgeError(Exception):
    """Something about documents or the index that the user can mend."""


class UnreadablePdfError(KnowledgeError):
    """A PDF that cannot be indexed (broken, encrypted, scanned); it is skipped as a whole."""


class IndexDamagedError(KnowledgeError):
    """The index on disk does not hold together; ingest the documents again."""


class ModelFolderError(KnowledgeError):
    """A folder holds no sentence-embedding model that this version can run."""
