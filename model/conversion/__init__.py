"""Between nets that spike and nets that do not: conversion of trained nets, and exact twins."""
