-- Whom candidates of an assessment may ask.

-- +goose Up
ALTER TABLE assessment_versions ADD COLUMN contact TEXT NOT NULL DEFAULT '';
