BEGIN TRANSACTION;
CREATE TABLE tfs_alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT tfs_alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "tfs_alembic_version" VALUES('001');
CREATE TABLE tfs_atom_details (
	id INTEGER NOT NULL, 
	flow_uuid VARCHAR(64) NOT NULL, 
	uuid VARCHAR(64) NOT NULL, 
	name VARCHAR(255), 
	kind VARCHAR(16) NOT NULL, 
	version VARCHAR(64), 
	state VARCHAR(32), 
	intention VARCHAR(16), 
	attempt BIGINT DEFAULT 0 NOT NULL, 
	losses BIGINT DEFAULT 0 NOT NULL, 
	direction VARCHAR(16), 
	request_uuid VARCHAR(64), 
	worker VARCHAR(255), 
	incarnation VARCHAR(64), 
	start_by DOUBLE, 
	finish_by DOUBLE, 
	not_before DOUBLE, 
	started_at DOUBLE, 
	finished_at DOUBLE, 
	seq BIGINT, 
	results TEXT, 
	failure TEXT, 
	revert_results TEXT, 
	revert_failure TEXT, 
	meta TEXT, 
	CONSTRAINT pk_tfs_atom_details PRIMARY KEY (id), 
	CONSTRAINT uq_tfs_atom_details_flow_uuid_uuid UNIQUE (flow_uuid, uuid), 
	CONSTRAINT fk_tfs_atom_details_flow_uuid FOREIGN KEY(flow_uuid) REFERENCES tfs_flow_details (uuid) ON DELETE CASCADE
);
INSERT INTO "tfs_atom_details" VALUES(1,'9cd0bdc4-3459-4755-b3cd-228ce4ef9fe6','372ec851-84c9-4669-97db-25abc383d4ae','give','TASK_DETAIL','1.0','SUCCESS','EXECUTE',1,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79552958269326782226e+09,1.79552958270918035501e+09,1,'{"v":1,"d":{"when":{"$datetime":"2026-11-24T12:00:00+00:00"},"bytes":{"$bytes":"AP8="},"tuple":{"$tuple":[1,2.5,null]},"text":"caf\u00e9 \u2603"}}',NULL,NULL,NULL,NULL);
INSERT INTO "tfs_atom_details" VALUES(2,'9cd0bdc4-3459-4755-b3cd-228ce4ef9fe6','71364266-5339-48e3-8d1c-bdb75ee87031','pause','TASK_DETAIL','1.0','SUCCESS','EXECUTE',1,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79552958270922660829e+09,1.79552958271306419371e+09,2,'{"v":1,"d":{"when":{"$datetime":"2026-11-24T12:00:00+00:00"},"bytes":{"$bytes":"AP8="},"tuple":{"$tuple":[1,2.5,null]},"text":"caf\u00e9 \u2603"}}',NULL,NULL,NULL,NULL);
INSERT INTO "tfs_atom_details" VALUES(3,'5411614b-b8ee-40ee-85aa-9b132f0f00d4','75d38e3f-e0aa-42c4-9e52-865f54c3edc2','times','RETRY_DETAIL','1.0','SUCCESS','EXECUTE',2,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79552958275720477105e+09,1.79552958275722718238e+09,6,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tfs_atom_details" VALUES(4,'5411614b-b8ee-40ee-85aa-9b132f0f00d4','087872c9-ff74-4747-b85f-ce8258c40b90','give','TASK_DETAIL','1.0','SUCCESS','EXECUTE',3,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79552958275724792482e+09,1.79552958276101207735e+09,7,'{"v":1,"d":{"when":{"$datetime":"2026-11-24T12:00:00+00:00"},"bytes":{"$bytes":"AP8="},"tuple":{"$tuple":[1,2.5,null]},"text":"caf\u00e9 \u2603"}}',NULL,NULL,NULL,NULL);
INSERT INTO "tfs_atom_details" VALUES(5,'5411614b-b8ee-40ee-85aa-9b132f0f00d4','06475fed-64eb-4564-b87e-db8444417493','fail','TASK_DETAIL','1.0','SUCCESS','EXECUTE',3,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.7955295827610340118e+09,1.79552958276895236974e+09,8,'{"v":1,"d":"in the end"}',NULL,NULL,NULL,NULL);
INSERT INTO "tfs_atom_details" VALUES(6,'552d64b7-38e3-4d10-b5f9-a8e02f4a03d8','a697cbe9-9a28-4fb1-92c6-5b890e3b364e','give','TASK_DETAIL','1.0','REVERTED','REVERT',2,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79552958279834938047e+09,1795529582.8008,4,'{"v":1,"d":{"when":{"$datetime":"2026-11-24T12:00:00+00:00"},"bytes":{"$bytes":"AP8="},"tuple":{"$tuple":[1,2.5,null]},"text":"caf\u00e9 \u2603"}}',NULL,NULL,NULL,NULL);
INSERT INTO "tfs_atom_details" VALUES(7,'552d64b7-38e3-4d10-b5f9-a8e02f4a03d8','9f8de86f-2efe-4138-a224-1554c975addd','fail','TASK_DETAIL','1.0','REVERTED','REVERT',2,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79552958279699945449e+09,1795529582.79833,3,NULL,'{"v":1,"d":{"$failure":{"exception_str":"not yet","traceback_str":"  File \"/tmp/wt/service/taskflow_service/executors/attempt.py\", line 63, in perform\n    return base.End.OK, _call(request)\n                        ^^^^^^^^^^^^^^\n  File \"/tmp/wt/service/taskflow_service/executors/attempt.py\", line 83, in _call\n    return task.execute(**arguments)\n           ^^^^^^^^^^^^^^^^^^^^^^^^^\n  File \"/tmp/wt/service/tests/recorded/flows.py\", line 76, in execute\n    raise ValueError(''not yet'')\n","exc_type_names":["ValueError","Exception"],"version":1,"exc_args":{"$tuple":["not yet"]},"class":"builtins:ValueError","causes":[]}}}',NULL,NULL,NULL);
INSERT INTO "tfs_atom_details" VALUES(8,'332cfec2-ea42-4447-b6fc-ed0c35bf75cd','35b7dae3-03b8-4e3f-825f-5fbb439a1678','give','TASK_DETAIL','1.0','SUCCESS','EXECUTE',1,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79552958282071185112e+09,1.79552958282143282895e+09,1,'{"v":1,"d":{"when":{"$datetime":"2026-11-24T12:00:00+00:00"},"bytes":{"$bytes":"AP8="},"tuple":{"$tuple":[1,2.5,null]},"text":"caf\u00e9 \u2603"}}',NULL,NULL,NULL,NULL);
INSERT INTO "tfs_atom_details" VALUES(9,'332cfec2-ea42-4447-b6fc-ed0c35bf75cd','a9da54cd-ad05-46c7-a4b3-cd7663ef309e','pause','TASK_DETAIL','1.0','PENDING','EXECUTE',0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tfs_atom_details" VALUES(10,'1d14c809-927a-4c92-aaa3-7c82ac241b62','e74e03e7-f432-4d8e-afa5-45d15fc08ef0','give','TASK_DETAIL','1.0','SUCCESS','EXECUTE',1,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79552958284707665443e+09,1.79552958284902596476e+09,1,'{"v":1,"d":{"when":{"$datetime":"2026-11-24T12:00:00+00:00"},"bytes":{"$bytes":"AP8="},"tuple":{"$tuple":[1,2.5,null]},"text":"caf\u00e9 \u2603"}}',NULL,NULL,NULL,NULL);
INSERT INTO "tfs_atom_details" VALUES(11,'1d14c809-927a-4c92-aaa3-7c82ac241b62','7c73f81f-9702-4e3a-9a11-136339492552','pause','TASK_DETAIL','1.0','RUNNING','EXECUTE',1,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79552958284904360776e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE tfs_flow_details (
	uuid VARCHAR(64) NOT NULL, 
	parent VARCHAR(64) NOT NULL, 
	name VARCHAR(255), 
	state VARCHAR(32), 
	meta TEXT, 
	owner VARCHAR(64), 
	epoch BIGINT DEFAULT 0 NOT NULL, 
	turn BIGINT DEFAULT 0 NOT NULL, 
	asked VARCHAR(32), 
	deadline DOUBLE, 
	next_action_at DOUBLE, 
	project VARCHAR(64), 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE, 
	ended_at DOUBLE, 
	CONSTRAINT pk_tfs_flow_details PRIMARY KEY (uuid), 
	CONSTRAINT fk_tfs_flow_details_parent FOREIGN KEY(parent) REFERENCES tfs_logbooks (uuid) ON DELETE CASCADE
);
INSERT INTO "tfs_flow_details" VALUES('9cd0bdc4-3459-4755-b3cd-228ce4ef9fe6','64ba69ff-6345-4a79-913f-e01aa7292bd2','good','SUCCESS','{"v":1,"d":{"factory":{"name":"tests.recorded.flows.good","args":["good"],"kwargs":{}}}}',NULL,1,3,NULL,NULL,NULL,NULL,1.79552958259813427929e+09,1.79552958271314501764e+09,1.79552958271310925488e+09);
INSERT INTO "tfs_flow_details" VALUES('5411614b-b8ee-40ee-85aa-9b132f0f00d4','77871ab3-710f-4da7-b4ac-69d573b67259','retried','SUCCESS','{"v":1,"d":{"factory":{"name":"tests.recorded.flows.retried","args":["retried"],"kwargs":{}}}}',NULL,1,7,NULL,NULL,NULL,NULL,1.79552958271688890452e+09,1.79552958276901245115e+09,1.79552958276898980138e+09);
INSERT INTO "tfs_flow_details" VALUES('552d64b7-38e3-4d10-b5f9-a8e02f4a03d8','6acec28a-9e1c-4c71-8f2d-ed8066040f20','failing','REVERTED','{"v":1,"d":{"factory":{"name":"tests.recorded.flows.failing","args":["failing"],"kwargs":{}}}}',NULL,1,5,NULL,NULL,NULL,NULL,1.79552958276997685427e+09,1.79552958280091834071e+09,1.79552958280083465574e+09);
INSERT INTO "tfs_flow_details" VALUES('332cfec2-ea42-4447-b6fc-ed0c35bf75cd','7ef627ac-2733-4ebe-9799-6a3c9ea77e0d','suspended','SUSPENDED','{"v":1,"d":{"factory":{"name":"tests.recorded.flows.good","args":["suspended"],"kwargs":{}}}}',NULL,1,2,NULL,NULL,NULL,NULL,1.79552958280516195294e+09,1.7955295828214790821e+09,NULL);
INSERT INTO "tfs_flow_details" VALUES('1d14c809-927a-4c92-aaa3-7c82ac241b62','43f261f2-7336-4180-a28e-9b6f683be9ec','interrupted','RUNNING','{"v":1,"d":{"factory":{"name":"tests.recorded.flows.good","args":["interrupted"],"kwargs":{}}}}','af7621e0-9f0b-495f-9048-02e83ee18837',1,2,NULL,NULL,NULL,NULL,1.79552958282204055788e+09,1.79552958284908485415e+09,NULL);
CREATE TABLE tfs_late_outcomes (
	flow_uuid VARCHAR(64) NOT NULL, 
	request_uuid VARCHAR(64) NOT NULL, 
	atom_name VARCHAR(255), 
	worker VARCHAR(255), 
	incarnation VARCHAR(64), 
	outcome TEXT, 
	received_at DOUBLE, 
	CONSTRAINT pk_tfs_late_outcomes PRIMARY KEY (flow_uuid, request_uuid), 
	CONSTRAINT fk_tfs_late_outcomes_flow_uuid FOREIGN KEY(flow_uuid) REFERENCES tfs_flow_details (uuid) ON DELETE CASCADE
);
CREATE TABLE tfs_logbooks (
	uuid VARCHAR(64) NOT NULL, 
	name VARCHAR(255), 
	meta TEXT, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE, 
	CONSTRAINT pk_tfs_logbooks PRIMARY KEY (uuid)
);
INSERT INTO "tfs_logbooks" VALUES('64ba69ff-6345-4a79-913f-e01aa7292bd2','tmp',NULL,1.79552958259808206559e+09,1.79552958259811091417e+09);
INSERT INTO "tfs_logbooks" VALUES('77871ab3-710f-4da7-b4ac-69d573b67259','tmp',NULL,1.7955295827168090343e+09,1.79552958271683096892e+09);
INSERT INTO "tfs_logbooks" VALUES('6acec28a-9e1c-4c71-8f2d-ed8066040f20','tmp',NULL,1.79552958276993298528e+09,1.79552958276995396611e+09);
INSERT INTO "tfs_logbooks" VALUES('7ef627ac-2733-4ebe-9799-6a3c9ea77e0d','tmp',NULL,1.7955295828051230908e+09,1.79552958280514192573e+09);
INSERT INTO "tfs_logbooks" VALUES('43f261f2-7336-4180-a28e-9b6f683be9ec','tmp',NULL,1.79552958282201290127e+09,1.79552958282202601431e+09);
CREATE TABLE tfs_owners (
	uuid VARCHAR(64) NOT NULL, 
	name VARCHAR(255), 
	renewals BIGINT DEFAULT 0 NOT NULL, 
	claims BIGINT DEFAULT 0 NOT NULL, 
	lease DOUBLE NOT NULL, 
	renewed_at DOUBLE, 
	CONSTRAINT pk_tfs_owners PRIMARY KEY (uuid)
);
INSERT INTO "tfs_owners" VALUES('af7621e0-9f0b-495f-9048-02e83ee18837','vm.1',1795529582,0,15.0,1.79552958265666842458e+09);
CREATE TABLE tfs_tries (
	flow_uuid VARCHAR(64) NOT NULL, 
	atom_uuid VARCHAR(64) NOT NULL, 
	number BIGINT NOT NULL, 
	value TEXT, 
	failures TEXT, 
	CONSTRAINT pk_tfs_tries PRIMARY KEY (flow_uuid, atom_uuid, number), 
	CONSTRAINT fk_tfs_tries_flow_uuid FOREIGN KEY(flow_uuid) REFERENCES tfs_flow_details (uuid) ON DELETE CASCADE
);
INSERT INTO "tfs_tries" VALUES('5411614b-b8ee-40ee-85aa-9b132f0f00d4','75d38e3f-e0aa-42c4-9e52-865f54c3edc2',1,'{"v":1,"d":1}','{"v":1,"d":{"fail":{"$failure":{"exception_str":"not yet","traceback_str":"  File \"/tmp/wt/service/taskflow_service/executors/attempt.py\", line 63, in perform\n    return base.End.OK, _call(request)\n                        ^^^^^^^^^^^^^^\n  File \"/tmp/wt/service/taskflow_service/executors/attempt.py\", line 83, in _call\n    return task.execute(**arguments)\n           ^^^^^^^^^^^^^^^^^^^^^^^^^\n  File \"/tmp/wt/service/tests/recorded/flows.py\", line 76, in execute\n    raise ValueError(''not yet'')\n","exc_type_names":["ValueError","Exception"],"version":1,"exc_args":{"$tuple":["not yet"]},"class":"builtins:ValueError","causes":[]}}}}');
INSERT INTO "tfs_tries" VALUES('5411614b-b8ee-40ee-85aa-9b132f0f00d4','75d38e3f-e0aa-42c4-9e52-865f54c3edc2',2,'{"v":1,"d":2}',NULL);
CREATE INDEX ix_tfs_logbooks_name ON tfs_logbooks (name);
CREATE INDEX ix_tfs_logbooks_created_at_uuid ON tfs_logbooks (created_at, uuid);
CREATE INDEX ix_tfs_flow_details_parent_created_at_uuid ON tfs_flow_details (parent, created_at, uuid);
CREATE INDEX ix_tfs_flow_details_state_next_action_at ON tfs_flow_details (state, next_action_at);
CREATE INDEX ix_tfs_flow_details_state_ended_at ON tfs_flow_details (state, ended_at);
CREATE INDEX ix_tfs_flow_details_state_created_at_uuid ON tfs_flow_details (state, created_at, uuid);
CREATE INDEX ix_tfs_flow_details_ended_at ON tfs_flow_details (ended_at);
CREATE INDEX ix_tfs_flow_details_created_at_uuid ON tfs_flow_details (created_at, uuid);
CREATE INDEX ix_tfs_flow_details_owner ON tfs_flow_details (owner);
CREATE INDEX ix_tfs_flow_details_name_created_at_uuid ON tfs_flow_details (name, created_at, uuid);
CREATE INDEX ix_tfs_atom_details_uuid ON tfs_atom_details (uuid);
COMMIT;
